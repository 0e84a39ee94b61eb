"""Successive halving in rounds: decides from the scores which trials are trained, and for how many epochs.

A round begins with some new proposals. All are trained for a few epochs, to the first *rung*; the best of them are
promoted to the next rung, and so forth up to the last. The others are paused, but stay candidates: in later rounds they
are ranked together with the trials that reach their rung, and are promoted when they are among the best. A search with
the same budget makes the same decisions after any interruption and on any number of processes.

Source: Jamieson and Talwalkar 2016 (successive halving); Li et al. 2018 (Hyperband); Li et al. 2020 (ASHA). Here paused
trials are promoted round by round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlplab.lab.spec.search import Search

#: The score of a trial, larger is better: the score of the metric on the validation rows, then the negative loss.
Score = tuple[float, float]
WORST: Score = (float("-inf"), float("-inf"))


@dataclass(frozen=True)
class TrialProgress:
    """The progress of a trial.

    Attributes:
        scores: the score after each of its epochs.
        ended: whether its training has ended: it is done, or it diverged or failed.
        final: the score of a trial that has ended, `WORST` if it diverged or failed.
        seconds_per_epoch: the training time per epoch; None if it has no result.
    """

    scores: Sequence[Score] = ()
    ended: bool = False
    final: Score = WORST
    seconds_per_epoch: float | None = None

    @property
    def best_known(self) -> Score:
        """The latest score."""
        return self.final if self.ended else self.scores[-1] if self.scores else WORST

    def reached(self, epochs: int) -> bool:
        """Return whether the trial has been trained for so many epochs or has ended."""
        return self.ended or len(self.scores) >= epochs

    def at(self, epochs: int) -> Score:
        """Return the score after so many epochs, or the final score if the training ended earlier or failed."""
        failed = self.ended and self.final == WORST
        return self.scores[epochs - 1] if len(self.scores) >= epochs and not failed else self.final


class Step(NamedTuple):
    """The id of a trial and the number of epochs up to which it is trained next."""

    trial: str
    epochs: int


def rungs(epochs: int, search: Search) -> tuple[int, ...]:
    """Return the numbers of epochs after which the best are promoted, in increasing order; the last is `epochs`."""
    fewest, found = search.min_epochs or max(1, epochs // 27), [epochs]
    while search.pruning != "none" and (fewer := epochs / search.reduction_factor ** len(found)) >= fewest:
        found.append(round(fewer))
    return tuple(reversed(found))


def cost(size: int, levels: Sequence[int], factor: int) -> int:
    """Return the total number of epochs of a round of `size` proposals."""
    total, before = 0, 0
    for level in levels:
        total += size * (level - before)
        size, before = max(1, size // factor), level
    return total


def next_round(search: Search, epochs: int, number: int, left: int) -> tuple[tuple[int, ...], int] | None:
    """Return the rungs of a round and its number of proposals; None if the budget is used up.

    Args:
        search: holds the rules.
        epochs: the number of epochs of a complete training.
        number: the number of the round, from 0.
        left: the epochs left in the budget. They are divided evenly among the rounds that they suffice for.
    """
    levels = rungs(epochs, search)
    used = levels[number % len(levels) if search.pruning == "hyperband" else 0 :]
    usual = cost(search.survivors * search.reduction_factor ** (len(levels) - 1), levels, search.reduction_factor)
    share = left // max(1, left // usual)
    size = 0
    while cost(size + 1, used, search.reduction_factor) <= share:
        size += 1
    return (used, size) if size else None


def promote(
    rounds: Sequence[tuple[Sequence[int], Sequence[str]]], progress: Mapping[str, TrialProgress], factor: int
) -> list[Step]:
    """Return the next steps; an empty list if all rounds are complete.

    Args:
        rounds: the rungs and the ids of the trials of each round, in the order in which they began.
        progress: the progress of all trials, by id.
        factor: the reduction factor: one trial in so many is promoted.
    """
    paused: dict[int, list[str]] = {}
    for levels, proposed in rounds:
        candidates = list(proposed)
        for level in levels:
            missing = [Step(trial, level) for trial in candidates if not progress[trial].reached(level)]
            if missing:
                return missing
            at_level = {trial: progress[trial].at(level) for trial in [*candidates, *paused.get(level, [])]}
            ranked = sorted(at_level, key=at_level.__getitem__, reverse=True)
            count = max(1, len(candidates) // factor)
            candidates = [trial for trial in ranked[:count] if at_level[trial] != WORST]
            paused[level] = [trial for trial in ranked if trial not in candidates]
    return []
