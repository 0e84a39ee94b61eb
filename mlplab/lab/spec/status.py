"""The status of a trial."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What became of a trial.

    WAITING has no result yet. PAUSED was stopped by a search and can be resumed. DONE was trained to its end. DIVERGED
    has a loss that stopped being finite, which is a result. FAILED ended with an error, and the next run trains it
    again.
    """

    WAITING = "waiting"
    PAUSED = "paused"
    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_measured(self) -> bool:
        """Whether the network has measures: it was trained, to its end or up to a pause."""
        return self in (Status.DONE, Status.PAUSED)

    @property
    def has_ended(self) -> bool:
        """Whether there is a final result."""
        return self in (Status.DONE, Status.DIVERGED)
