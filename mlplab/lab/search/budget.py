"""The budget of a search: a number of epochs, or minutes, which are converted to a number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from mlplab.data import Dataset, split_rows
from mlplab.errors import SettingError
from mlplab.lab.execution.timing import makespan, seconds_per_epoch
from mlplab.lab.search.halving import next_round
from mlplab.lab.search.log import trial_of
from mlplab.lab.search.samplers import propose
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.search import Search
from mlplab.lab.spec.suite import Suite
from mlplab.training.settings import DEFAULTS

#: The number of configurations that `measure_pace` times.
_MEASURED = 8


def epochs_of(suite: Suite) -> int:
    """Return the number of epochs of a complete training."""
    return int(suite.settings.get("max_iter", DEFAULTS["max_iter"]))


@dataclass(frozen=True)
class Budget:
    """The budget of a search. The cost of its finalists is reserved from the beginning.

    A `rate` is in epochs per second, of all slots together. It matters only for a budget in minutes.

    Attributes:
        search: holds the limits, in epochs and minutes, and the number of finalists.
        seeds: the number of trainings of each finalist.
        max_epochs: the number of epochs of a complete training.
        slots: the number of networks that are trained at a time.
    """

    search: Search
    seeds: int
    max_epochs: int
    slots: int

    @classmethod
    def of(cls, suite: Suite, slots: int) -> Budget:
        """Return the budget of a suite's search."""
        assert suite.search
        return cls(suite.search, suite.seeds, epochs_of(suite), slots)

    @property
    def finalist_epochs(self) -> int:
        """The number of epochs that the finalists are trained for."""
        return self.search.finalists * self.seeds * self.max_epochs

    def finalist_seconds(self, rate: float) -> float:
        """Return the time that the finalists take. A single training is not faster on several slots."""
        one_after_another = ceil(self.search.finalists * self.seeds / self.slots)
        return one_after_another * self.max_epochs * self.slots / rate

    def epochs_left(self, *, spent: int = 0, seconds: float = 0.0, rate: float) -> int:
        """Return the number of epochs left for the search, apart from its finalists; it may be negative.

        Args:
            spent: the epochs of the rounds so far, including those not trained yet.
            seconds: the time used so far.
            rate: see `Budget`.
        """
        left = []
        if self.search.epochs is not None:
            left.append(self.search.epochs - spent - self.finalist_epochs)
        if self.search.minutes is not None:
            left.append(int((60 * self.search.minutes - seconds - self.finalist_seconds(rate)) * rate))
        return min(left)

    def plan_round(
        self, number: int, *, spent: int = 0, seconds: float = 0.0, rate: float
    ) -> tuple[tuple[int, ...], int] | None:
        """Return the rungs of a round and its number of configurations; None if the budget is used up.

        Args:
            number: the number of the round, from 0.
            spent, seconds, rate: see `epochs_left`.

        Raises:
            SettingError: if the budget does not suffice for the first round.
        """
        left = self.epochs_left(spent=spent, seconds=seconds, rate=rate)
        found = next_round(self.search, self.max_epochs, number, left)
        if found is None and number == 0:
            raise self._too_small(rate)
        return found

    def has_time_for(self, steps: Sequence[float], finalists: Sequence[float], *, seconds: float) -> bool:
        """Return whether the next trainings, and the finalists after them, end within the minutes of the search.

        Args:
            steps, finalists: the seconds of each training.
            seconds: the time used so far.
        """
        if self.search.minutes is None:
            return True
        needed = sum(makespan(sorted(durations, reverse=True), self.slots) for durations in (steps, finalists))
        return seconds + needed <= 60 * self.search.minutes

    def _too_small(self, rate: float) -> SettingError:
        needed = self.finalist_epochs + self.max_epochs
        work = (
            f"{self.search.finalists} finalists × {self.seeds} seeds × {self.max_epochs} epochs, and one configuration "
            "to choose from"
        )
        if self.search.epochs is not None and self.search.epochs < needed:
            return SettingError(f"search: epochs must be at least {needed}, for {work}; got {self.search.epochs}")
        minutes = (self.finalist_seconds(rate) + self.max_epochs / rate) / 60
        return SettingError(
            f"search: minutes must be at least {minutes:.2g} on this machine, for {work}; got {self.search.minutes:g}"
        )


def measure_pace(suite: Suite, dataset: Dataset) -> float:
    """Return the seconds per epoch on one core, averaged over the first configurations of a suite's search."""
    assert suite.search
    trials = [trial_of(proposal, suite) for proposal in propose(suite.search, [], 0, _MEASURED)]
    jobs = [Job((trial,), (trial.id,)) for trial in trials]
    found = float(np.mean(seconds_per_epoch(jobs, dataset, split_rows(dataset, suite.split, 0, suite.samples))))
    return max(found, 1e-6)  # 0 if all diverged
