"""A job: one training that serves every trial of a lineage, from the shortest to the longest."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from copy import copy
from functools import partial
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from mlplab.data import Dataset, Split
from mlplab.errors import DivergenceError, ModelFileError
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.estimators.model_file import write_model
from mlplab.lab.execution.checkpoints import SparingCheckpoint, Stop, StopRule, checkpoint_of, forget_checkpoint
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import Trial, TrialResult
from mlplab.lab.storage.predictions import Predictions, complete_result, predict_rows
from mlplab.lab.storage.run_folder import NETWORK, PREDICTIONS, RunFolder, write_arrays
from mlplab.nn.network import count_parameters
from mlplab.training.build import layer_sizes
from mlplab.training.callbacks import Callback
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.history import Epoch, History
from mlplab.training.tasks import Task, classify


def build_estimator(job: Job, dataset: Dataset, **more: Any) -> NeuralNetworkClassifier:
    """Return the classifier, not yet fitted, of a job's longest trial; `more` settings go before its own."""
    longest = job.trials[-1]
    settings = {"input_scale": dataset.scale, **longest.settings, "random_state": longest.seed, **more}
    return NeuralNetworkClassifier(**settings)


#: Receives every epoch, every result of a trial, and notes for the user as text.
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

    An error in a trial becomes its result ("failed", with the traceback) and is not raised. Every so many seconds the
    state of the training is written, and a training whose state was written before is resumed from it. A job that
    pauses its trial leaves its state, its measures, its history and its predictions, without a network.

    Args:
        stretch: whether to return after the first epoch that ends later than those seconds, with the state written.

    Returns:
        Whether the job is done: False where the time of a stretch is over and the training is to be resumed.

    Raises:
        OSError: for a disk that is full, for example: that is not the result of a trial.
    """
    resumable = job.trials[-1]["solver"] != "lbfgs"  # its memory is SciPy's
    rule = StopRule(job.epochs, job.pause_after, perf_counter() + checkpoint_seconds if stretch and resumable else inf)
    writer = _TrialWriter(job, dataset, split, folder, report, rule)
    path = checkpoint_of(job, folder)
    checkpoint = SparingCheckpoint(path, checkpoint_seconds, rule) if resumable else None
    estimator = build_estimator(job, dataset, callbacks=[writer])
    error = None
    try:
        stop = _train(estimator, job, dataset, split, checkpoint, rule, report)
        if stop == Stop.TIME:
            return False
        status = Status.PAUSED if stop == Stop.PAUSE else Status.DONE
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
    """Return the traceback of a failure that is a trial's result; an error of the disk is raised again instead."""
    if isinstance(failure, OSError):
        raise failure
    return traceback.format_exc()


def _train(
    estimator: NeuralNetworkClassifier,
    job: Job,
    dataset: Dataset,
    split: Split,
    checkpoint: Checkpoint | None,
    rule: StopRule,
    report: Report,
) -> Stop | None:
    """Train until the last epoch, or until the rule stops it; return why it was stopped."""
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
    return rule.stop


class _TrialWriter(Callback):
    """Writes each trial of a job when the training has reached its last epoch."""

    def __init__(
        self, job: Job, dataset: Dataset, split: Split, folder: RunFolder, report: Report, rule: StopRule
    ) -> None:
        self._waiting = list(zip(job.trials, job.labels, strict=True))
        self._dataset, self._split, self._folder, self._report, self._rule = dataset, split, folder, report, rule
        self._at_pause: Predictions | None = None

    def on_fit_begin(self, estimator: NeuralNetworkClassifier) -> bool:
        # killed between the checkpoint of a pause and its trial.json: only that is to be written
        return self._stops(estimator, self._rule.begin(len(estimator.history_)))

    def on_epoch_end(self, estimator: NeuralNetworkClassifier, epoch: Epoch) -> bool:
        self._report(epoch)
        stop = self._rule.after(epoch.epoch)
        # the last trial waits for the end of the fit: early stopping may put the best weights back
        if len(self._waiting) > 1 and self._waiting[0][0]["max_iter"] == epoch.epoch:
            trial, label = self._waiting.pop(0)
            try:
                self._write(trial, label, estimator, Status.DONE, None)
            except Exception as failure:  # its own; the longer trials continue
                self._write(trial, label, estimator, Status.FAILED, format_failure(failure))
        return self._stops(estimator, stop)

    def _stops(self, estimator: NeuralNetworkClassifier, stop: Stop | None) -> bool:
        if stop == Stop.PAUSE:
            # a paused trial has the measures of its last epoch; after the fit, early stopping may have put others back
            self._at_pause = self._predict(estimator)
        return stop is not None

    def write_rest(self, estimator: NeuralNetworkClassifier, status: Status, error: str | None) -> None:
        """Write the trials that the training had not reached, all with the status in which it ended."""
        while self._waiting:
            trial, label = self._waiting[0]
            self._write(trial, label, estimator, status, error)
            self._waiting.pop(0)

    def _write(
        self, trial: Trial, label: str, estimator: NeuralNetworkClassifier, status: Status, error: str | None
    ) -> None:
        history: History = getattr(estimator, "history_", History())
        task = classify(len(self._dataset.classes))
        is_best = status == Status.DONE and trial["early_stopping"] and len(history)
        result = TrialResult.of(
            trial,
            label,
            history,
            status=status,
            parameters=_count_parameters(trial, task, self._dataset),
            kept=history.best(task.watched) if is_best else None,
            error=error,
        )
        found = self._predict(estimator) if status == Status.DONE else self._at_pause
        if found and status.is_measured:
            result = complete_result(result, found)  # an epoch of an earlier version's checkpoint may lack a metric
            network = estimator if status == Status.DONE else None
            self._folder.write_trial(result, history, partial(_write_files, trial, found, network))
        else:
            self._folder.write_trial(result, history)
        self._report(result)

    def _predict(self, estimator: NeuralNetworkClassifier) -> Predictions:
        return predict_rows(estimator, self._dataset, self._split.validation)


def _count_parameters(trial: Trial, task: Task, dataset: Dataset) -> int:
    sizes = layer_sizes(trial["hidden_layer_sizes"], dataset.X.shape[1], task.outputs)
    return count_parameters(sizes, bool(trial["fit_intercept"]), trial["normalization"] is not None)


def _write_files(
    trial: Trial, predictions: Predictions, estimator: NeuralNetworkClassifier | None, folder: Path
) -> None:
    """Write a trial's predictions, and its network where it is done."""
    write_arrays(folder / PREDICTIONS, predictions.arrays())
    if estimator is not None:
        # the same weights under the settings of this trial, whose max_iter is its own
        model = copy(estimator)
        model.max_iter = trial["max_iter"]
        write_model(model, folder / NETWORK)
