"""The options of a search: the table ``[search]`` of a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlplab.errors import SettingError, nearest, one_of
from mlplab.lab.spec.parsing import check_keys
from mlplab.lab.spec.space import Dimension, Space, read_space
from mlplab.training.settings import SETTINGS, check_count, is_integer, is_number

#: The names of the samplers, which `mlplab.lab.search.samplers` constructs. Each of them either uses the results of
#: paused trials or no results at all.
SAMPLERS = ("tpe", "random")
#: Pruning strategies: rules that decide after how many epochs the worse configurations are paused.
PRUNINGS = ("halving", "hyperband", "none")


@dataclass(frozen=True)
class Search:
    """The options of a search.

    Attributes:
        space: the values or range to search, by setting.
        epochs: budget of epochs for all trainings together, including the finalists; None means no limit.
        minutes: budget of wall-clock time; None means no limit. At least one of the two budgets is required.
        sampler: the sampler of configurations; see `SAMPLERS`.
        seed: the seed of the sampler.
        pruning: "halving" trains every configuration for a few epochs and repeatedly trains the better ones further;
            "hyperband" starts each round with more epochs than the last, and then starts over with few; "none" trains
            every configuration to its end.
        min_epochs: minimum number of epochs of a configuration; None means `max_iter` divided by 27.
        reduction_factor: one configuration in `reduction_factor` is promoted, to `reduction_factor` times as many
            epochs.
        survivors: minimum number of configurations of a round that are trained to their end; the number of processes
            is a good value.
        finalists: number of configurations that are trained again with the seeds of the suite, which the search has
            not used.
    """

    space: Space
    epochs: int | None = None
    minutes: float | None = None
    sampler: str = "tpe"
    seed: int = 0
    pruning: str = "halving"
    min_epochs: int | None = None
    reduction_factor: int = 3
    survivors: int = 2
    finalists: int = 3

    def without(self, setting: str) -> Search:
        """Return the search with a setting removed from its space."""
        return replace(self, space={name: what for name, what in self.space.items() if name != setting})

    def trying(self, setting: str, what: Dimension) -> Search:
        """Return the search with new values or a new range for a setting; the space keeps the order of `SETTINGS`."""
        space = {**self.space, setting: what}
        return replace(self, space={name: space[name] for name in SETTINGS if name in space})

    def to_plain(self) -> dict[str, Any]:
        """Return the content of the ``[search]`` table of a suite file."""
        content = {name: value for name, value in vars(self).items() if value is not None}
        return {**content, "space": {name: what.to_plain() for name, what in self.space.items()}}

    def determining(self, *, budget: bool) -> dict[str, Any]:
        """Return the options that determine which configurations are tried and, with `budget`, how many."""
        content = self.to_plain()
        return content if budget else {k: v for k, v in content.items() if k not in ("epochs", "minutes", "finalists")}


def read_search(content: Any, settings: Mapping[str, Any], where: str) -> Search:
    """Read and check the ``[search]`` table of a suite; `settings` are those shared by all trials.

    Raises:
        SettingError: for an invalid table; the message names the place and the allowed values.
    """
    if not isinstance(content, dict):
        raise SettingError(f"{where}must be a table, [search]; got {content!r}")
    check_keys(content, Search.__dataclass_fields__, where)
    search = Search(**{**content, "space": read_space(content.get("space"), where)})
    check_search(search, settings, where)
    return search


def check_search(search: Search, settings: Mapping[str, Any], where: str = "") -> None:
    """Raise SettingError for an option that is not allowed, or one that these settings rule out."""
    _check_values(search, where)
    if search.epochs is None and search.minutes is None:
        raise SettingError(f"{where}a budget is required: epochs = 500, or minutes = 10, or both")
    if not search.space:
        raise SettingError(f"{where}the space is empty, because every setting in it has been fixed")
    solvers = search.space["solver"].to_plain() if "solver" in search.space else [settings.get("solver")]
    if "lbfgs" in solvers and search.pruning != "none":
        raise SettingError(f'{where}solver "lbfgs" cannot be paused; use pruning = "none"')


def _check_values(search: Search, where: str) -> None:
    for name, allowed in (("sampler", SAMPLERS), ("pruning", PRUNINGS)):
        value = getattr(search, name)
        if value not in allowed:
            raise SettingError(f"{where}{name} must be {one_of(allowed)}; got {value!r}{nearest(value, allowed)}")
    for name in ("epochs", "min_epochs", "reduction_factor", "survivors", "finalists"):
        if getattr(search, name) is not None:
            check_count(name, getattr(search, name), where)
    if search.reduction_factor < 2:
        raise SettingError(f"{where}reduction_factor must be at least 2; got {search.reduction_factor}")
    if not is_integer(search.seed) or search.seed < 0:
        raise SettingError(f"{where}seed must be a whole number of at least 0; got {search.seed!r}")
    if search.minutes is not None and not (is_number(search.minutes) and search.minutes > 0):
        raise SettingError(f"{where}minutes must be a number above 0; got {search.minutes!r}")
