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
from mlplab.training.tasks import classify


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

    def job_done(self, job: Job) -> None:
        """Take a job that ended, with all its epochs or before."""

    def note(self, text: str) -> None:
        """Take what somebody should know: a damaged file, a worker that died."""

    def end(self) -> None:
        """Clear up, whatever happened."""


class Silent:
    """The display that shows nothing."""

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        pass

    def epoch(self, job: Job, epoch: Epoch) -> None:
        pass

    def trial(self, result: TrialResult) -> None:
        pass

    def job_done(self, job: Job) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def end(self) -> None:
        pass


def make_labels(suite: Suite, fingerprint: str, dataset: Dataset) -> dict[str, str]:
    """Return the label of every trial by its id."""
    inputs, classes, varying = dataset.X.shape[1], len(dataset.classes), suite.varying()
    return {
        trial.id: trial.label(inputs, classes, varying) + (f"_seed{trial.seed}" if suite.seeds > 1 else "")
        for _, trial in suite.cells(fingerprint)
    }


def plan(rows: Sequence[ResultRow], inputs: int, classes: int) -> list[Job]:
    """Return the jobs for the rows that wait or failed, the longest first: a long one at the end would run alone."""
    missing = [row for row in rows if row.unfinished]
    jobs = group_into_jobs([row.trial for row in missing], [row.label for row in missing])
    return sorted(jobs, key=lambda job: -job.epochs * cost_of_epoch(job, inputs, classes))


def cost_of_epoch(job: Job, inputs: int, classes: int) -> float:
    """Return what an epoch costs, in multiplications a row: three products a layer, two in the first."""
    sizes = layer_sizes(job.trials[-1]["hidden_layer_sizes"], inputs, classify(classes).outputs)
    return 3 * count_parameters(sizes, fit_intercept=False) - sizes[0] * sizes[1]


def train_missing(
    suite: Suite,
    rows: Sequence[ResultRow],
    dataset: Dataset,
    folder: RunFolder,
    count: int,
    display: Display,
    checkpoint_seconds: float,
) -> None:
    """Train the trials of the rows that wait or failed on `count` processes, each trial once.

    Results are in the folder as soon as they are made, and in ``results.csv`` every second; less often for so many
    trials that writing them would take more than 2 % of the time.
    """
    varying = suite.varying()
    folder.write_results(rows, varying)
    results = {row.trial.id: row.result for row in rows}
    done = len({row.trial.id for row in rows if not row.unfinished})
    inputs, classes = dataset.X.shape[1], len(dataset.classes)
    jobs = plan(rows, inputs, classes)
    costs = [cost_of_epoch(job, inputs, classes) for job in jobs]
    training_rows = len(split_rows(dataset, suite.split, 0, suite.samples).train)
    display.begin(jobs, done, len(results), training_rows, costs)
    for trial_id in {row.trial.id for row in rows if row.status == "waiting" and folder.has_trial(row.trial.id)}:
        display.note(f"{folder.trial(trial_id)} is damaged or incomplete: that trial is trained again")
    data = {**save_data(dataset, folder.data), "checkpoint_seconds": checkpoint_seconds}
    due = monotonic() + 1
    try:
        for event in run_jobs(jobs, count, data, folder):
            for news in (event.news, *_write_deaths(folder, event)):
                if isinstance(news, TrialResult):
                    results[news.id] = news
                    display.trial(news)
                elif isinstance(news, Epoch):
                    display.epoch(event.job, news)
                elif isinstance(news, str):
                    display.note(news)
                else:
                    display.job_done(event.job)
            if (started := monotonic()) > due:
                folder.write_results([replace(row, result=results[row.trial.id]) for row in rows], varying)
                due = monotonic() + max(1, 50 * (monotonic() - started))
    finally:
        display.end()


def _write_deaths(folder: RunFolder, event: Event) -> Iterator[TrialResult]:
    """Write the trials of a worker that died as failed, unless it had finished them."""
    for trial, label in zip(event.job.trials, event.job.labels, strict=True) if event.died else []:
        held = folder.read_result(trial.id)
        if held is None or held.status == "failed":
            result = TrialResult(
                id=trial.id,
                label=label,
                seed=trial.seed,
                settings=trial.plain_settings(),
                status="failed",
                epochs=0,
                train_loss=None,
                train_accuracy=None,
                val_loss=None,
                val_accuracy=None,
                seconds=0.0,
                parameters=0,
                error=event.died,
            )
            folder.write_trial(result, History())
            yield result
