"""The protocol of an observer, which shows or records what happens in a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlplab.lab.spec.job import Job
    from mlplab.lab.spec.trial import TrialResult
    from mlplab.training.history import Epoch


class RunObserver(Protocol):
    """Shows or records what happens in a run, such as `mlplab.lab.monitoring.terminal.SuiteDisplay`."""

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        """Receive the jobs to come. A search calls it for each of its steps.

        Args:
            done: how many of the `total` trials are finished.
            rows: the number of training rows.
            costs: of an epoch of each job, in any unit, to estimate the time left.
        """

    def epoch(self, job: Job, epoch: Epoch) -> None:
        """Receive an epoch that has ended."""

    def trial(self, result: TrialResult) -> None:
        """Receive the result of a trial."""

    def job_done(self, job: Job) -> None:
        """Receive a job that has ended, with or without all its epochs."""

    def note(self, text: str) -> None:
        """Receive a note for the user: about a damaged file, say, or a worker that crashed."""

    def end(self) -> None:
        """Clean up after the jobs of the last `begin`, whether or not they are finished."""


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
