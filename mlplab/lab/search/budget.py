"""What a search may spend: a number of epochs, or minutes, which are as many epochs as there is time for."""

from __future__ import annotations

from math import ceil

import numpy as np

from mlplab.data import Dataset, split_rows
from mlplab.errors import SettingError
from mlplab.lab.execution.timing import seconds_per_epoch
from mlplab.lab.search.halving import next_round
from mlplab.lab.search.log import trial_of
from mlplab.lab.search.samplers import propose
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.search import Search
from mlplab.lab.spec.suite import Suite
from mlplab.training.settings import DEFAULTS

#: Configurations that are measured.
_MEASURED = 8


def epochs_of(suite: Suite) -> int:
    """Return how many epochs a training to its end makes."""
    return int(suite.settings.get("max_iter", DEFAULTS["max_iter"]))


def cost_of_finalists(search: Search, suite: Suite) -> int:
    """Return how many epochs the finalists make."""
    return search.finalists * suite.seeds * epochs_of(suite)


def epochs_left(search: Search, suite: Suite, spent: int, seconds: float, rate: float, processes: int) -> int:
    """Return how many epochs a search may make yet, before its finalists.

    Args:
        spent: epochs that what was begun takes. seconds: that it has taken.
        rate: epochs a second, of all processes together; of no account for a budget in epochs alone.
    """
    left = []
    if search.epochs is not None:
        left.append(search.epochs - spent - cost_of_finalists(search, suite))
    if search.minutes is not None:
        left.append(int((60 * search.minutes - seconds - _seconds_of_finalists(search, suite, rate, processes)) * rate))
    return min(left)


def _seconds_of_finalists(search: Search, suite: Suite, rate: float, processes: int) -> float:
    """Return how long the finalists take: a training alone is not made faster by more processes."""
    one_after_another = ceil(search.finalists * suite.seeds / processes)
    return one_after_another * epochs_of(suite) * processes / rate


def first_round(search: Search, suite: Suite, rate: float, processes: int) -> tuple[tuple[int, ...], int]:
    """Return the rungs of the first round, and how many configurations it tries; `rate` as for `epochs_left`.

    Raises:
        SettingError: for a budget that is not enough for one.
    """
    epochs = epochs_of(suite)
    if found := next_round(search, epochs, 0, epochs_left(search, suite, 0, 0.0, rate, processes)):
        return found
    needed = cost_of_finalists(search, suite) + epochs
    what = f"{search.finalists} finalists × {suite.seeds} seeds × {epochs} epochs, and one configuration to choose from"
    if search.epochs is not None and search.epochs < needed:
        raise SettingError(f"search: epochs must be at least {needed}, for {what}; got {search.epochs}")
    seconds = _seconds_of_finalists(search, suite, rate, processes) + epochs / rate
    raise SettingError(
        f"search: minutes must be at least {seconds / 60:.2g} on this machine, for {what}; got {search.minutes:g}"
    )


def measure_pace(search: Search, suite: Suite, dataset: Dataset) -> float:
    """Return the seconds of an epoch on one core, the mean of a few configurations that a search would begin with."""
    trials = [trial_of(proposal, suite) for proposal in propose(search, [], 0, _MEASURED)]
    jobs = [Job((trial,), (trial.id,)) for trial in trials]
    found = float(np.mean(seconds_per_epoch(jobs, dataset, split_rows(dataset, suite.split, 0, suite.samples))))
    return max(found, 1e-6)  # where all diverged
