"""Train what a suite is missing, on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import Protocol

from mlplab.data import Dataset, split_rows
from mlplab.lab.job import Job, group_into_jobs
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Suite
from mlplab.lab.trial import TrialResult
from mlplab.lab.worker import save_data
from mlplab.lab.workers import Event, run_jobs
from mlplab.nn.network import count_parameters
from mlplab.training.build import layer_sizes
from mlplab.training.history import Epoch, History


class Display(Protocol):
    """What looks on while a suite runs; see `mlplab.lab.progress`."""

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        """Take the jobs to come, and how many of the `total` trials are `done`.

        rows: the training rows of an epoch. costs: of an epoch of each job, in any unit, to reckon the time left.
        """

    def epoch(self, job: Job, epoch: Epoch) -> None:
        """Take an epoch that was made."""

    def trial(self, result: TrialResult) -> None:
        """Take a trial that was finished."""

    def end(self) -> None:
        """Clear up, whatever happened."""


def make_labels(suite: Suite, fingerprint: str, dataset: Dataset) -> dict[str, str]:
    """Return the label of every trial by its id."""
    inputs, classes, varying = dataset.X.shape[1], len(dataset.classes), suite.varying()
    return {trial.id: trial.label(inputs, classes, varying) for _, trial in suite.cells(fingerprint)}


def plan(rows: Sequence[ResultRow], inputs: int, classes: int) -> list[Job]:
    """Return the jobs for the rows that wait or failed, the longest first: a long one at the end would run alone."""
    missing = [row for row in rows if row.unfinished]
    jobs = group_into_jobs([row.trial for row in missing], [row.label for row in missing])
    return sorted(jobs, key=lambda job: -job.epochs * cost_of_epoch(job, inputs, classes))


def cost_of_epoch(job: Job, inputs: int, classes: int) -> float:
    """Return what an epoch costs, in multiplications a row: three products a layer, two in the first."""
    sizes = layer_sizes(job.trials[-1]["hidden_layer_sizes"], inputs, classes)
    return 3 * count_parameters(sizes, fit_intercept=False) - sizes[0] * sizes[1]


def train_missing(
    suite: Suite,
    rows: Sequence[ResultRow],
    dataset: Dataset,
    folder: RunFolder,
    count: int,
    display: Display | None,
) -> None:
    """Train the trials of the rows that wait or failed on `count` processes, each trial once.

    Results are in the folder as soon as they are made, and in ``results.csv`` within a second.
    """
    varying = suite.varying()
    folder.write_results(rows, varying)
    results = {row.trial.id: row.result for row in rows}
    jobs = plan(rows, dataset.X.shape[1], len(dataset.classes))
    training_rows = len(split_rows(dataset, suite.split, 0, suite.samples).train)
    if display:
        done = sum(result is not None and result.status != "failed" for result in results.values())
        costs = [cost_of_epoch(job, dataset.X.shape[1], len(dataset.classes)) for job in jobs]
        display.begin(jobs, done, len(results), training_rows, costs)

    def finish(result: TrialResult) -> None:
        results[result.id] = result
        if display:
            display.trial(result)

    written = monotonic()
    try:
        for event in run_jobs(jobs, count, save_data(dataset, folder.data), folder):
            if isinstance(event.news, Epoch) and display:
                display.epoch(event.job, event.news)
            elif isinstance(event.news, TrialResult):
                finish(event.news)
            for result in _write_deaths(folder, event):
                finish(result)
            if monotonic() - written > 1:  # not for every one of a thousand small trials
                folder.write_results([replace(row, result=results[row.trial.id]) for row in rows], varying)
                written = monotonic()
    finally:
        if display:
            display.end()


def _write_deaths(folder: RunFolder, event: Event) -> Iterator[TrialResult]:
    """Write the trials of a worker that died as failed, unless it had finished them."""
    for trial, label in zip(event.job.trials, event.job.labels, strict=True) if event.died else []:
        held = folder.read_result(trial.id)
        if held is None or held.status == "failed":
            result = TrialResult(
                trial.id,
                label,
                trial.seed,
                dict(trial.settings),
                "failed",
                0,
                None,
                None,
                None,
                None,
                0.0,
                0,
                event.died,
            )
            folder.write_result(result, History())
            yield result
