"""Training of a job: one training for all trials of a lineage, from the shortest to the longest."""

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
from mlplab.lab.execution.checkpoints import SparingCheckpoint, Stop, StopRule, checkpoint_of, discard_checkpoint
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
    """Return the unfitted classifier of a job's longest trial; the settings in `more` override its own."""
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
    one_slice: bool = False,
) -> bool:
    """Train a job, and write the result of each of its trials as soon as its last epoch has ended.

    An error in a trial becomes its result ("failed", with the traceback) and is not raised. The training is resumed
    from the job's checkpoint, if there is one. A job that pauses its trial writes its checkpoint, and the measures,
    the history and the predictions of the trial, but no network.

    Args:
        job: the job.
        dataset: the data set.
        split: the training and validation rows.
        folder: the run folder, to which results and checkpoints are written.
        report: receives every epoch, every result of a trial, and notes for the user.
        checkpoint_seconds: the time between two checkpoints.
        one_slice: whether to stop, with a checkpoint, after the first epoch that ends later than that time.

    Returns:
        Whether the job is done; False if the time of the slice is over and the training has to be resumed.

    Raises:
        OSError: if a disk is full, for example. That is not the result of a trial.
    """
    resumable = job.trials[-1]["solver"] != "lbfgs"  # its state is inside SciPy
    until = perf_counter() + checkpoint_seconds if one_slice and resumable else inf
    rule = StopRule(job.epochs, job.pause_after, until)
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
    discard_checkpoint(job, folder, path, finished=status == Status.DONE)
    return True


def format_failure(failure: Exception) -> str:
    """Return the traceback of a failure, which is the result of a trial; an OSError is raised again instead."""
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
    """Train until the last epoch or until the rule stops the training; return the reason in that case."""
    trial = job.trials[-1]
    rows = (dataset.X, dataset.y, split.train, split.validation, dataset.feature_names)
    data = json.dumps([trial.data, trial.split, trial.samples])
    try:
        estimator.fit_rows(*rows, checkpoint=checkpoint, data=data)
    except ModelFileError as problem:
        assert checkpoint
        report(f"{problem}; training {job.labels[-1]} from its first epoch")
        Path(checkpoint.path).unlink()
        estimator.fit_rows(*rows, checkpoint=checkpoint, data=data)
    return rule.stop


class _TrialWriter(Callback):
    """Writes the result of each trial of a job when the training has reached the last epoch of the trial."""

    def __init__(
        self, job: Job, dataset: Dataset, split: Split, folder: RunFolder, report: Report, rule: StopRule
    ) -> None:
        self._waiting = list(zip(job.trials, job.labels, strict=True))
        self._dataset, self._split, self._folder, self._report, self._rule = dataset, split, folder, report, rule
        self._predictions_at_pause: Predictions | None = None

    def on_fit_begin(self, estimator: NeuralNetworkClassifier) -> bool:
        # after a run that was killed between the checkpoint of a pause and trial.json, only the latter is missing
        return self._stops(estimator, self._rule.begin(len(estimator.history_)))

    def on_epoch_end(self, estimator: NeuralNetworkClassifier, epoch: Epoch) -> bool:
        self._report(epoch)
        stop = self._rule.after(epoch.epoch)
        # the last trial is written after the fit, because early stopping may restore the best weights
        if len(self._waiting) > 1 and self._waiting[0][0]["max_iter"] == epoch.epoch:
            trial, label = self._waiting.pop(0)
            try:
                self._write(trial, label, estimator, Status.DONE, None)
            except Exception as failure:  # only this trial has failed: the longer ones continue
                self._write(trial, label, estimator, Status.FAILED, format_failure(failure))
        return self._stops(estimator, stop)

    def _stops(self, estimator: NeuralNetworkClassifier, stop: Stop | None) -> bool:
        if stop == Stop.PAUSE:
            # A paused trial has the measures of its last epoch: predict now, because early stopping may restore other
            # weights at the end of the fit.
            self._predictions_at_pause = self._predict(estimator)
        return stop is not None

    def write_rest(self, estimator: NeuralNetworkClassifier, status: Status, error: str | None) -> None:
        """Write the results of the remaining trials, all with the status with which the training ended."""
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
        predictions = self._predict(estimator) if status == Status.DONE else self._predictions_at_pause
        if predictions and status.is_measured:
            # an epoch from the checkpoint of an earlier version may lack a metric
            result = complete_result(result, predictions)
            network = estimator if status == Status.DONE else None
            self._folder.write_trial(result, history, partial(_write_files, trial, predictions, network))
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
    """Write a trial's predictions, and its network unless `estimator` is None."""
    write_arrays(folder / PREDICTIONS, predictions.arrays())
    if estimator is not None:
        # the weights of the shared training, with the max_iter of this trial
        model = copy(estimator)
        model.max_iter = trial["max_iter"]
        write_model(model, folder / NETWORK)
