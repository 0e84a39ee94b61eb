"""Training of a suite's missing trials: jobs go to the executor, events to the run folder and the observer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic

from mlplab.data import Dataset, split_rows
from mlplab.lab.execution.executor import Event, Executor
from mlplab.lab.execution.schedule import cost_of_epoch, missing_jobs
from mlplab.lab.monitoring.observer import RunObserver
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Suite
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch, History


@dataclass(frozen=True)
class TrainingContext:
    """Everything needed to train the jobs of a suite.

    Attributes:
        suite: the bound suite.
        dataset: its data set.
        folder: the run folder, to which the results are written.
        executor: trains the jobs; it must be entered and bound to the data set.
        observer: receives the progress.
    """

    suite: Suite
    dataset: Dataset
    folder: RunFolder
    executor: Executor
    observer: RunObserver

    @cached_property
    def training_rows(self) -> int:
        """The number of training rows; cached because every round of a search needs it."""
        return len(split_rows(self.dataset, self.suite.split, samples=self.suite.samples).train)

    def announce(self, jobs: Sequence[Job], done: int, total: int) -> None:
        """Announce the next jobs to the observer; see `RunObserver.begin`."""
        inputs, classes = self.dataset.X.shape[1], len(self.dataset.classes)
        costs = [cost_of_epoch(job, inputs, classes) for job in jobs]
        self.observer.begin(jobs, done, total, self.training_rows, costs)

    def note_damage(self, missing: Iterable[str]) -> None:
        """Send the observer a note for each trial, among those without a result, that has damaged or incomplete files.

        Args:
            missing: the ids of the trials without a result.
        """
        for trial_id in sorted(missing):
            if self.folder.has_trial(trial_id):
                self.observer.note(f"{self.folder.trial(trial_id)} is damaged or incomplete; training this trial again")

    def train(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Train jobs and yield their events, each after the run folder and the observer have received it."""
        try:
            for event in self.executor.run(jobs):
                for payload in (*record_crashes(self.folder, event), event.payload):
                    self._notify(event.job, payload)
                    yield replace(event, payload=payload)
        finally:
            self.observer.end()

    def _notify(self, job: Job, payload: Epoch | TrialResult | str | None) -> None:
        if isinstance(payload, TrialResult):
            self.observer.trial(payload)
        elif isinstance(payload, Epoch):
            self.observer.epoch(job, payload)
        elif isinstance(payload, str):
            self.observer.note(payload)
        else:
            self.observer.job_done(job)


class Throttle:
    """Calls a function at most once a second, and less often if the calls would take more than 2 % of the time."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function, self._due = function, monotonic() + 1

    def __call__(self) -> None:
        if (started := monotonic()) > self._due:
            self._function()
            self._due = monotonic() + max(1, 50 * (monotonic() - started))


def train_missing(context: TrainingContext, rows: Sequence[ResultRow]) -> None:
    """Train the unfinished trials of the rows, each trial once.

    Each result is written to the run folder at once, and to ``results.csv`` a little later.
    """
    folder, varying = context.folder, context.suite.varying()
    folder.write_results(rows, varying)
    results = {row.trial.id: row.result for row in rows}
    jobs = missing_jobs(rows, context.dataset)
    done, epochs = len({row.trial.id for row in rows if not row.unfinished}), sum(job.epochs for job in jobs)
    context.announce(jobs, done, len(results))
    context.observer.note(
        f"{len(results) - done} of {len(results)} trials to train: {len(jobs)} networks, {epochs:,} epochs"
    )
    context.note_damage({row.trial.id for row in rows if row.status == Status.WAITING})
    save = Throttle(lambda: folder.write_results([replace(row, result=results[row.trial.id]) for row in rows], varying))
    for event in context.train(jobs):
        if isinstance(event.payload, TrialResult):
            results[event.payload.id] = event.payload
        save()


def record_crashes(folder: RunFolder, event: Event) -> Iterator[TrialResult]:
    """Write and yield failed results for the unfinished trials of a job that was given up."""
    if not event.crash_message:
        return
    for trial, label in zip(event.job.trials, event.job.labels, strict=True):
        stored = folder.read_result(trial.id)
        if stored is None or stored.status in (Status.FAILED, Status.PAUSED):
            result = TrialResult.failed(trial, label, event.crash_message)
            folder.write_trial(result, History())
            yield result
