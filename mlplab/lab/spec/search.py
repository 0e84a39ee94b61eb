"""What a search is asked to do: the table ``[search]`` of a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlplab.errors import SettingError, nearest, one_of
from mlplab.lab.spec.parsing import check_keys
from mlplab.lab.spec.space import Space, read_space
from mlplab.training.settings import check_count

#: The names of the samplers, which `mlplab.lab.search.samplers` constructs.
SAMPLERS = ("tpe", "random")
#: The pruning strategies: after how many epochs only the best configurations are trained further.
PRUNINGS = ("halving", "hyperband", "none")


@dataclass(frozen=True)
class Search:
    """What a search is asked to do.

    Attributes:
        space: what may be tried, by setting.
        epochs: how many all trainings together may make, those of the finalists included; None is no limit.
        minutes: how long it may take, on the wall; None is no limit. One of the two there must be.
        sampler: who proposes configurations; see `SAMPLERS`. seed: of its draws.
        pruning: "halving" trains every configuration for a few epochs and the better ones on, again and again;
            "hyperband" begins with more epochs from round to round, and then again with few; "none" trains every
            configuration to its end.
        min_epochs: that every configuration gets at least; None is a 27th of `max_iter`.
        reduction_factor: one in so many goes on, to so many times the epochs.
        survivors: how many of a round are trained to their end, at least: as many as there are processes is best.
        finalists: how many of the best are trained again with the suite's seeds, which the search has not seen.
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
        """Return the search with a setting taken out of its space."""
        return replace(self, space={name: what for name, what in self.space.items() if name != setting})

    def to_plain(self) -> dict[str, Any]:
        """Return what a suite's file says."""
        content = {name: value for name, value in vars(self).items() if value is not None}
        return {**content, "space": {name: what.to_plain() for name, what in self.space.items()}}

    def determining(self, *, budget: bool) -> dict[str, Any]:
        """Return what determines the configurations tried; with `budget`, also how many and what follows."""
        content = self.to_plain()
        return content if budget else {k: v for k, v in content.items() if k not in ("epochs", "minutes", "finalists")}


def read_search(content: Any, settings: Mapping[str, Any], where: str) -> Search:
    """Read the table ``[search]`` of a suite with these settings for all trials, checked.

    Raises:
        SettingError: naming the place and what would be right.
    """
    if not isinstance(content, dict):
        raise SettingError(f"{where}must be a table, [search]; got {content!r}")
    check_keys(content, Search.__dataclass_fields__, where)
    for name, allowed in (("sampler", SAMPLERS), ("pruning", PRUNINGS)):
        if content.get(name, allowed[0]) not in allowed:
            value = content[name]
            raise SettingError(f"{where}{name} must be {one_of(allowed)}; got {value!r}{nearest(value, allowed)}")
    counts = ("epochs", "min_epochs", "reduction_factor", "survivors", "finalists")
    read = {name: check_count(name, content[name], where) for name in counts if name in content}
    if read.get("reduction_factor", 2) < 2:
        raise SettingError(f"{where}reduction_factor must be at least 2; got 1")
    seed, minutes = content.get("seed", 0), content.get("minutes")
    if not isinstance(seed, int) or seed < 0:
        raise SettingError(f"{where}seed must be a whole number of at least 0; got {seed!r}")
    if minutes is not None and (not isinstance(minutes, int | float) or not minutes > 0):
        raise SettingError(f"{where}minutes must be a number above 0; got {minutes!r}")
    names = {name: content[name] for name in ("sampler", "pruning") if name in content}
    others: dict[str, Any] = {**names, **read}
    search = Search(read_space(content.get("space"), where), minutes=minutes, seed=seed, **others)
    check_search(search, settings, where)
    return search


def check_search(search: Search, settings: Mapping[str, Any], where: str = "") -> None:
    """Raise SettingError for a search that cannot be made with these settings for all trials."""
    if search.epochs is None and search.minutes is None:
        raise SettingError(f"{where}a budget is missing: epochs = 500, or minutes = 10, or both")
    if not search.space:
        raise SettingError(f"{where}the space is empty: every setting in it has been given")
    solvers = search.space["solver"].to_plain() if "solver" in search.space else [settings.get("solver")]
    if "lbfgs" in solvers and search.pruning != "none":
        raise SettingError(f'{where}solver "lbfgs" cannot be paused: take pruning = "none"')
