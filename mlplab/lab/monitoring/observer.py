"""The protocol of an observer, which shows or records the progress of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlplab.lab.spec.job import Job
    from mlplab.lab.spec.trial import TrialResult
    from mlplab.training.history import Epoch


class RunObserver(Protocol):
    """Shows or records the progress of a run, such as `mlplab.lab.monitoring.terminal.SuiteDisplay`."""

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        """Receive the next jobs. A search calls this method for each of its steps.

        Args:
            jobs: the jobs.
            done: the number of finished trials.
            total: the number of all trials.
            rows: the number of training rows.
            costs: the cost of an epoch of each job, in any unit, to estimate the remaining time.
        """

    def epoch(self, job: Job, epoch: Epoch) -> None:
        """Receive an epoch that has ended."""

    def trial(self, result: TrialResult) -> None:
        """Receive the result of a trial."""

    def job_done(self, job: Job) -> None:
        """Receive a job that has ended, with or without all its epochs."""

    def note(self, text: str) -> None:
        """Receive a note for the user, for example about a damaged file or a worker that crashed."""

    def end(self) -> None:
        """Clean up after the jobs of the last `begin`, which may be unfinished."""


class NullObserver:
    """An observer that ignores everything."""

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
