"""Train what a suite is missing, and see to the news: into the folder, onto the display."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic

from mlplab.data import Dataset, split_rows
from mlplab.lab.execution.process_pool import Event
from mlplab.lab.execution.schedule import cost_of_epoch, plan
from mlplab.lab.monitoring.observer import RunObserver
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Suite
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch, History

#: Does jobs, in their order, and yields what is to be told of them; more may be put in while it is at work.
Workforce = Callable[[deque[Job]], Iterator[Event]]


@dataclass(frozen=True)
class TrainingContext:
    """Those who train, and those who are told of it.

    Attributes:
        suite, dataset: what for. folder: where the results are written.
        work: who trains. display: who looks on.
    """

    suite: Suite
    dataset: Dataset
    folder: RunFolder
    work: Workforce
    display: RunObserver

    @cached_property
    def training_rows(self) -> int:
        """How many rows there are to learn from; a search asks again and again."""
        return len(split_rows(self.dataset, self.suite.split, samples=self.suite.samples).train)

    def announce(self, jobs: Sequence[Job], done: int, total: int) -> None:
        """Tell the display of jobs to come; see `RunObserver.begin`."""
        inputs, classes = self.dataset.X.shape[1], len(self.dataset.classes)
        costs = [cost_of_epoch(job, inputs, classes) for job in jobs]
        self.display.begin(jobs, done, total, self.training_rows, costs)

    def note_damage(self, missing: Iterable[str]) -> None:
        """Tell the display of trials that left something, but nothing that can be used."""
        for trial_id in sorted(missing):
            if self.folder.has_trial(trial_id):
                self.display.note(
                    f"{self.folder.trial(trial_id)} is damaged or incomplete: that trial is trained again"
                )

    def train(self, waiting: deque[Job]) -> Iterator[Event]:
        """Train until no job waits, and yield what happens, in the folder and on the display already."""
        try:
            for event in self.work(waiting):
                for news in (*record_crashes(self.folder, event), event.payload):
                    self._tell(event.job, news)
                    yield replace(event, payload=news)
        finally:
            self.display.end()

    def _tell(self, job: Job, news: Epoch | TrialResult | str | None) -> None:
        if isinstance(news, TrialResult):
            self.display.trial(news)
        elif isinstance(news, Epoch):
            self.display.epoch(job, news)
        elif isinstance(news, str):
            self.display.note(news)
        else:
            self.display.job_done(job)


class Throttle:
    """Does something every second; less often what would take more than 2 % of the time."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do, self._due = do, monotonic() + 1

    def __call__(self) -> None:
        if (started := monotonic()) > self._due:
            self._do()
            self._due = monotonic() + max(1, 50 * (monotonic() - started))


def train_missing(crew: TrainingContext, rows: Sequence[ResultRow]) -> None:
    """Train the trials of the rows that wait or failed, each trial once.

    Results are in the folder as soon as they are made, and in ``results.csv`` a little later.
    """
    folder, varying = crew.folder, crew.suite.varying()
    folder.write_results(rows, varying)
    results = {row.trial.id: row.result for row in rows}
    jobs = plan(rows, crew.dataset)
    done, epochs = len({row.trial.id for row in rows if not row.unfinished}), sum(job.epochs for job in jobs)
    crew.announce(jobs, done, len(results))
    crew.display.note(
        f"{len(results) - done} of {len(results)} trials to train: {len(jobs)} networks, {epochs:,} epochs"
    )
    crew.note_damage({row.trial.id for row in rows if row.status == Status.WAITING})
    keep = Throttle(lambda: folder.write_results([replace(row, result=results[row.trial.id]) for row in rows], varying))
    for event in crew.train(deque(jobs)):
        if isinstance(event.payload, TrialResult):
            results[event.payload.id] = event.payload
        keep()


def record_crashes(folder: RunFolder, event: Event) -> Iterator[TrialResult]:
    """Write the trials of a worker that died as failed, unless it had finished them."""
    if not event.crash_message:
        return
    for trial, label in zip(event.job.trials, event.job.labels, strict=True):
        held = folder.read_result(trial.id)
        if held is None or held.status in (Status.FAILED, Status.PAUSED):
            result = TrialResult.failed(trial, label, event.crash_message)
            folder.write_trial(result, History())
            yield result
