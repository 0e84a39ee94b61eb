"""A job: one training that serves every trial of a lineage, from the shortest to the longest."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Container, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from mlplab.classifier import NeuralNetworkClassifier
from mlplab.data import Dataset, Split
from mlplab.data.labels import encode
from mlplab.errors import DivergenceError, ModelFileError
from mlplab.lab.store import RunFolder, write_arrays
from mlplab.lab.trial import Trial, TrialResult
from mlplab.modelfile import write_model
from mlplab.nn.network import count_parameters
from mlplab.training.build import layer_sizes
from mlplab.training.callbacks import Callback
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.history import Epoch, History
from mlplab.training.tasks import classify


@dataclass(frozen=True)
class Job:
    """Trials of one lineage, the one with the fewest epochs first, with their labels.

    pause_after: the epoch after which its only trial is paused, to go on later from its checkpoint; None trains it to
        its end.
    """

    trials: tuple[Trial, ...]
    labels: tuple[str, ...]
    pause_after: int | None = None

    @property
    def epochs(self) -> int:
        """How many epochs serve them all."""
        return self.pause_after or int(self.trials[-1]["max_iter"])

    def without(self, finished: Container[str]) -> Job:
        """Return the job for the trials whose ids are not among these; there must be one."""
        left = [(t, label) for t, label in zip(self.trials, self.labels, strict=True) if t.id not in finished]
        return replace(self, trials=tuple(t for t, _ in left), labels=tuple(label for _, label in left))

    def estimator(self, dataset: Dataset, **more: Any) -> NeuralNetworkClassifier:
        """Return the classifier, not yet fitted, of the longest trial; `more` settings go before its own."""
        longest = self.trials[-1]
        settings = {"input_scale": dataset.scale, **longest.settings, "random_state": longest.seed, **more}
        return NeuralNetworkClassifier(**settings)


def group_into_jobs(trials: Sequence[Trial], labels: Sequence[str]) -> list[Job]:
    """Group trials, each once, by what one training can serve."""
    lineages: dict[str, list[tuple[Trial, str]]] = {}
    for trial, label in {t.id: (t, label) for t, label in zip(trials, labels, strict=True)}.values():
        lineages.setdefault(trial.lineage, []).append((trial, label))
    jobs = []
    for members in lineages.values():
        members.sort(key=lambda member: member[0]["max_iter"])
        jobs.append(Job(tuple(t for t, _ in members), tuple(label for _, label in members)))
    return jobs


#: Told of every epoch, of every trial that is finished, and, in words, of what somebody should know.
Report = Callable[[Epoch | TrialResult | str], None]


def train_job(
    job: Job,
    dataset: Dataset,
    split: Split,
    folder: RunFolder,
    report: Report,
    checkpoint_seconds: float = 10.0,
    *,
    stretch: bool = False,
) -> bool:
    """Train once and write the results of all the job's trials, each as soon as its epochs are made.

    An error in a trial becomes its result ("failed", with the traceback); nothing is raised for it. Every so many
    seconds the state of the training is written, and where there is one already, it goes on from there. A job that
    pauses its trial leaves its state, its numbers and its history, without a network.

    Args:
        stretch: whether to return after the first epoch that ends later than those seconds, with the state written.

    Returns:
        Whether the job is done: False where a stretch of it was made, and more is to come.

    Raises:
        OSError: where the disk is full, say: that is no result of a trial.
    """
    resumable = job.trials[-1]["solver"] != "lbfgs"  # whose memory is SciPy's
    writer = _TrialWriter(job, dataset, split, folder, report)
    if stretch and resumable:
        writer.until = perf_counter() + checkpoint_seconds
    path = checkpoint_of(job, folder)
    checkpoint = _SparingCheckpoint(path, checkpoint_seconds, lambda: writer.stopped) if resumable else None
    estimator = job.estimator(dataset, callbacks=[writer])
    error = None
    try:
        _train(estimator, job, dataset, split, checkpoint, report)
        if writer.stopped and not writer.paused:
            return False
        status = "paused" if writer.paused else "done"
    except DivergenceError as divergence:
        status, error = "diverged", str(divergence)
    except Exception as failure:
        status, error = "failed", _told(failure)
    try:
        writer.write_rest(estimator, status, error)
    except Exception as failure:
        writer.write_rest(estimator, "failed", _told(failure))
    forget_checkpoint(job, folder, path, finished=status == "done")
    return True


def _told(failure: Exception) -> str:
    """Return the traceback of a failure that is a trial's result; what the disk says is none, and is raised again."""
    if isinstance(failure, OSError):
        raise failure
    return traceback.format_exc()


def checkpoint_of(job: Job, folder: RunFolder) -> Path:
    """Return the file that the training of a job goes on from, and that its state is written to.

    It is that of its lineage. But where a longer training has left one there that has gone too far, it stays for that
    training, and the job has a file of its own.
    """
    file = folder.checkpoint(job.trials[-1].lineage)
    try:
        return file.with_suffix(f".{job.epochs}.safetensors") if _has_gone_too_far(file, job) else file
    except ModelFileError:  # it is damaged: whoever goes on from there will say so
        return file


def forget_checkpoint(job: Job, folder: RunFolder, file: Path, *, finished: bool) -> None:
    """Delete the state of a training that has ended, `file`, if nothing can go on from there."""
    longest = job.trials[-1]
    if file != folder.checkpoint(longest.lineage) or (finished and longest.lineage == longest.id):
        file.unlink(missing_ok=True)


def _train(
    estimator: NeuralNetworkClassifier,
    job: Job,
    dataset: Dataset,
    split: Split,
    checkpoint: Checkpoint | None,
    report: Report,
) -> None:
    trial = job.trials[-1]
    rows = (dataset.X, dataset.y, split.train, split.validation, dataset.feature_names)
    data = json.dumps([trial.data, trial.split, trial.samples])
    try:
        estimator.fit_rows(*rows, checkpoint=checkpoint, data=data)
    except ModelFileError as problem:
        assert checkpoint
        report(f"{problem}; {job.labels[-1]} is trained from its first epoch")
        Path(checkpoint.path).unlink()
        estimator.fit_rows(*rows, checkpoint=checkpoint, data=data)


@dataclass
class _SparingCheckpoint(Checkpoint):
    """Writes nothing before its seconds have passed, not even at the end: what is quickly made is made again.

    going_on: whether the training will go on from here; then it is written in any case.
    """

    going_on: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._begun = self._written

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        if self.going_on() or perf_counter() - self._begun >= self.seconds:
            super().write(fit, identity, last=last)


def _has_gone_too_far(file: Path, job: Job) -> bool:
    """Return whether a checkpoint has left behind what a trial of the job needs to see: one that got lost, say."""
    saved = Checkpoint(file).read()
    made = len(saved["state"]["history_"]["records"]) if saved else 0
    first = job.pause_after or job.trials[0]["max_iter"]
    return made > first or (made == first and len(job.trials) > 1)


class _TrialWriter(Callback):
    """Writes each trial of a job when the training has come to its last epoch."""

    def __init__(self, job: Job, dataset: Dataset, split: Split, folder: RunFolder, report: Report) -> None:
        self._waiting = list(zip(job.trials, job.labels, strict=True))
        self._dataset, self._split, self._folder, self._report = dataset, split, folder, report
        self._pause_after, self._last_epoch = job.pause_after, job.epochs
        self.until = float("inf")  # the time after which a stretch ends
        self.paused = self.stopped = False

    def on_fit_begin(self, estimator: NeuralNetworkClassifier) -> bool:
        # killed between the checkpoint of a pause and its trial.json: only that is to be written
        self.paused = self.stopped = len(estimator.history_) == self._pause_after
        return self.stopped

    def on_epoch_end(self, estimator: NeuralNetworkClassifier, epoch: Epoch) -> bool:
        self._report(epoch)
        self.paused = epoch.epoch == self._pause_after
        self.stopped = self.paused or (perf_counter() > self.until and epoch.epoch < self._last_epoch)
        # the last trial waits for the end of the fit: early stopping may put the best weights back
        if len(self._waiting) > 1 and self._waiting[0][0]["max_iter"] == epoch.epoch:
            trial, label = self._waiting.pop(0)
            try:
                self._write(trial, label, estimator, "done", None)
            except Exception as failure:  # its own; the longer trials go on
                self._write(trial, label, estimator, "failed", _told(failure))
        return self.stopped

    def write_rest(self, estimator: NeuralNetworkClassifier, status: str, error: str | None) -> None:
        """Write the trials that the fit did not come to as it went, all with the status in which it ended."""
        while self._waiting:
            trial, label = self._waiting[0]
            self._write(trial, label, estimator, status, error)
            self._waiting.pop(0)

    def _write(
        self, trial: Trial, label: str, estimator: NeuralNetworkClassifier, status: str, error: str | None
    ) -> None:
        history: History = getattr(estimator, "history_", History())
        last = _last_numbers(history)
        if status == "done" and trial["early_stopping"] and len(history):  # the weights are not those of the last epoch
            best = max(history, key=lambda epoch: epoch.val_accuracy)
            last |= {"val_loss": best.val_loss, "val_accuracy": best.val_accuracy}
        sizes = layer_sizes(
            trial["hidden_layer_sizes"], self._dataset.X.shape[1], classify(len(self._dataset.classes)).outputs
        )
        result = TrialResult(
            id=trial.id,
            label=label,
            seed=trial.seed,
            settings=trial.plain_settings(),
            status=status,
            epochs=len(history),
            **last,
            seconds=round(sum(history["seconds"]), 3),
            parameters=count_parameters(sizes, bool(trial["fit_intercept"]), trial["normalization"] is not None),
            error=error,
        )
        write_network = partial(self._write_network, trial, estimator) if status == "done" else None
        self._folder.write_trial(result, history, write_network)
        self._report(result)

    def _write_network(self, trial: Trial, estimator: NeuralNetworkClassifier, folder: Path) -> None:
        # the same weights under the settings of this trial, whose max_iter is its own
        model = copy(estimator)
        model.max_iter = trial["max_iter"]
        write_model(model, folder / "model.safetensors")
        rows, classes = self._split.validation, self._dataset.classes
        predictions = {
            "rows": rows.astype(np.uint32),
            "true": encode(self._dataset.y[rows], classes, "the validation rows"),
            "predicted": encode(estimator.predict_rows(self._dataset.X, rows), classes, "the predictions"),
        }
        write_arrays(folder / "validation_predictions.npz", predictions)


def _last_numbers(history: History) -> dict[str, Any]:
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    return {name: history[name][-1] if len(history) else None for name in names}
