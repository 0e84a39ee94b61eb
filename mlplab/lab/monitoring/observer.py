"""What looks on while a suite runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlplab.lab.spec.job import Job
    from mlplab.lab.spec.trial import TrialResult
    from mlplab.training.history import Epoch


class RunObserver(Protocol):
    """What looks on while a suite runs, such as `mlplab.lab.monitoring.terminal.SuiteDisplay`."""

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        """Take the jobs to come, and how many of the `total` trials are `done`; in a search, step by step.

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


class NullObserver:
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
