"""A job: one training that serves every trial of a lineage, from the shortest to the longest."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from copy import copy
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from mlplab.data import Dataset, Split
from mlplab.data.labels import encode
from mlplab.errors import DivergenceError, ModelFileError
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.estimators.model_file import write_model
from mlplab.lab.execution.checkpoints import SparingCheckpoint, checkpoint_of, forget_checkpoint
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import Trial, TrialResult
from mlplab.lab.storage.run_folder import RunFolder, write_arrays
from mlplab.nn.network import count_parameters
from mlplab.training.build import layer_sizes
from mlplab.training.callbacks import Callback
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.history import Epoch, History
from mlplab.training.tasks import classify


def build_estimator(job: Job, dataset: Dataset, **more: Any) -> NeuralNetworkClassifier:
    """Return the classifier, not yet fitted, of a job's longest trial; `more` settings go before its own."""
    longest = job.trials[-1]
    settings = {"input_scale": dataset.scale, **longest.settings, "random_state": longest.seed, **more}
    return NeuralNetworkClassifier(**settings)


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
    checkpoint = SparingCheckpoint(path, checkpoint_seconds, lambda: writer.stopped) if resumable else None
    estimator = build_estimator(job, dataset, callbacks=[writer])
    error = None
    try:
        _train(estimator, job, dataset, split, checkpoint, report)
        if writer.stopped and not writer.paused:
            return False
        status = Status.PAUSED if writer.paused else Status.DONE
    except DivergenceError as divergence:
        status, error = Status.DIVERGED, str(divergence)
    except Exception as failure:
        status, error = Status.FAILED, format_failure(failure)
    try:
        writer.write_rest(estimator, status, error)
    except Exception as failure:
        writer.write_rest(estimator, Status.FAILED, format_failure(failure))
    forget_checkpoint(job, folder, path, finished=status == Status.DONE)
    return True


def format_failure(failure: Exception) -> str:
    """Return the traceback of a failure that is a trial's result; what the disk says is none, and is raised again."""
    if isinstance(failure, OSError):
        raise failure
    return traceback.format_exc()


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
                self._write(trial, label, estimator, Status.DONE, None)
            except Exception as failure:  # its own; the longer trials go on
                self._write(trial, label, estimator, Status.FAILED, format_failure(failure))
        return self.stopped

    def write_rest(self, estimator: NeuralNetworkClassifier, status: Status, error: str | None) -> None:
        """Write the trials that the fit did not come to as it went, all with the status in which it ended."""
        while self._waiting:
            trial, label = self._waiting[0]
            self._write(trial, label, estimator, status, error)
            self._waiting.pop(0)

    def _write(
        self, trial: Trial, label: str, estimator: NeuralNetworkClassifier, status: Status, error: str | None
    ) -> None:
        history: History = getattr(estimator, "history_", History())
        last = _last_numbers(history)
        if (
            status == Status.DONE and trial["early_stopping"] and len(history)
        ):  # the weights are not those of the last epoch
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
        write_network = partial(self._write_network, trial, estimator) if status == Status.DONE else None
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
