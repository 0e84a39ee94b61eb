"""Successive halving in rounds: who is trained how far. Plain arithmetic, which knows nothing of networks.

A round begins with some new proposals. All are trained for a few epochs, to the first *rung*; the best of them are
trained on to the next, and so forth up to the last. Who is left behind is paused and stays in the running: in later
rounds it stands beside those that come to its rung, and goes on when it is among the best of them. A search of the same
budget is the same whatever interrupts it, and on however many processes.

Source: Jamieson and Talwalkar 2016 (successive halving); Li et al. 2018 (Hyperband); Li et al. 2020 (ASHA), whose
promotion of those left behind is here done round by round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlplab.lab.spec.search import Search

#: What a trial is measured by, the larger the better: validation accuracy, then the loss with a minus.
Score = tuple[float, float]
WORST: Score = (float("-inf"), float("-inf"))


@dataclass(frozen=True)
class TrialProgress:
    """How far a trial has come.

    Attributes:
        scores: after each of its epochs.
        ended: whether it will make no more epochs: done, diverged or failed.
        final: its score from the end on, worst for one that diverged or failed.
    """

    scores: Sequence[Score] = ()
    ended: bool = False
    final: Score = WORST

    @property
    def best_known(self) -> Score:
        """The score where it stands."""
        return self.final if self.ended else self.scores[-1] if self.scores else WORST

    def reached(self, epochs: int) -> bool:
        """Return whether it need not be trained to so many epochs."""
        return self.ended or len(self.scores) >= epochs

    def at(self, epochs: int) -> Score:
        """Return the score after so many epochs; of one that ended before, the final one."""
        failed = self.ended and self.final == WORST
        return self.scores[epochs - 1] if len(self.scores) >= epochs and not failed else self.final


def rungs(epochs: int, search: Search) -> tuple[int, ...]:
    """Return the epochs after which the better ones are chosen, up to all `epochs`, the fewest first."""
    fewest, found = search.min_epochs or max(1, epochs // 27), [epochs]
    while search.pruning != "none" and (fewer := epochs / search.reduction_factor ** len(found)) >= fewest:
        found.append(round(fewer))
    return tuple(reversed(found))


def cost(size: int, levels: Sequence[int], factor: int) -> int:
    """Return how many epochs a round of `size` proposals makes."""
    total, before = 0, 0
    for level in levels:
        total += size * (level - before)
        size, before = max(1, size // factor), level
    return total


def next_round(search: Search, epochs: int, number: int, left: int) -> tuple[tuple[int, ...], int] | None:
    """Return the rungs of a round and how many proposals it begins with; None where the budget is used up.

    Args:
        epochs: of a training to its end. number: of the round, from 0.
        left: of the budget, in epochs. It is divided evenly among the rounds it is enough for.
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
) -> list[tuple[str, int]]:
    """Return what is to be trained now, and to how many epochs each; nothing where all rounds are over.

    Args:
        rounds: of each its rungs and the trials it began with, in the order in which they were made.
        progress: of all of them.
        factor: one in so many goes on.
    """
    left_behind: dict[int, list[str]] = {}
    for levels, proposed in rounds:
        candidates = list(proposed)
        for level in levels:
            missing = [(trial, level) for trial in candidates if not progress[trial].reached(level)]
            if missing:
                return missing
            at_level = {trial: progress[trial].at(level) for trial in [*candidates, *left_behind.get(level, [])]}
            ranked = sorted(at_level, key=at_level.__getitem__, reverse=True)
            count = max(1, len(candidates) // factor)
            candidates = [trial for trial in ranked[:count] if at_level[trial] != WORST]
            left_behind[level] = [trial for trial in ranked if trial not in candidates]
    return []
