"""The status of a trial."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of a trial.

    Attributes:
        WAITING: no result yet.
        PAUSED: stopped by a search; it can be resumed.
        DONE: trained to its end.
        DIVERGED: the loss is no longer finite, which is a final result.
        FAILED: ended with an error; the next run trains it again.
    """

    WAITING = "waiting"
    PAUSED = "paused"
    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_measured(self) -> bool:
        """Whether the network has been trained, to its end or until a pause, and thus has measures."""
        return self in (Status.DONE, Status.PAUSED)

    @property
    def has_ended(self) -> bool:
        """Whether the result is final."""
        return self in (Status.DONE, Status.DIVERGED)
