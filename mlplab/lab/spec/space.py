"""The space of a search: for each setting, what may be tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from mlplab.errors import SettingError
from mlplab.lab.spec.parsing import check_keys, read_settings
from mlplab.lab.spec.trial import describe_value
from mlplab.training.settings import DEFAULTS, SETTINGS, check_setting_name, is_integer, to_plain


@dataclass(frozen=True)
class Choices:
    """Some values, in no order; in a suite a list."""

    values: tuple[Any, ...]

    def parameters(self, name: str) -> dict[str, Choices | Range]:
        """Return what a sampler chooses, by name."""
        return {name: self}

    def value(self, name: str, chosen: Mapping[str, Any]) -> Any:
        """Return the setting's value for what a sampler chose: a choice in words."""
        return self.by_name()[chosen[name]]

    def ends(self) -> Sequence[Any]:
        """Return settings that the others lie between: all of them."""
        return self.values

    def by_name(self) -> dict[str, Any]:
        """Return the values by what they are called in words."""
        return {describe_value(value): value for value in self.values}

    def to_plain(self) -> Any:
        """Return what a suite's file says."""
        return [to_plain(value) for value in self.values]


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, both included, `whole` ones or any; `log` makes each decade as likely."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def parameters(self, name: str) -> dict[str, Choices | Range]:
        """Return what a sampler chooses, by name."""
        return {name: self}

    def value(self, name: str, chosen: Mapping[str, Any]) -> Any:
        """Return the setting's value for what a sampler chose."""
        return chosen[name]

    def ends(self) -> Sequence[Any]:
        """Return settings that the others lie between."""
        return self.low, self.high

    def round(self, number: float) -> float:
        """Return a number of the range with three significant digits: nobody wants to read more in a label."""
        return number if self.whole else min(max(float(f"{number:.3g}"), self.low), self.high)

    def to_plain(self) -> Any:
        """Return what a suite's file says."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Layers:
    """Hidden layers, as many as `depth` says, all of the same `width`."""

    depth: Range
    width: Range

    def parameters(self, name: str) -> dict[str, Choices | Range]:
        """Return what a sampler chooses, by name."""
        return {f"{name}.depth": self.depth, f"{name}.width": self.width}

    def value(self, name: str, chosen: Mapping[str, Any]) -> Any:
        """Return the setting's value for what a sampler chose."""
        return (chosen[f"{name}.width"],) * chosen[f"{name}.depth"]

    def ends(self) -> Sequence[Any]:
        """Return settings that the others lie between: of the most and the fewest layers."""
        return [(width,) * depth for depth in self.depth.ends() for width in self.width.ends()]

    def to_plain(self) -> Any:
        """Return what a suite's file says."""
        return {"depth": [self.depth.low, self.depth.high], "width": [self.width.low, self.width.high]}


Dimension = Choices | Range | Layers
Space = Mapping[str, Dimension]

#: So many combinations of a space are looked at, at most, before a search.
_EXAMPLES = 2000


def examples(space: Space) -> Iterator[dict[str, Any]]:
    """Yield settings of a space, all choices and the ends of all ranges, combined."""
    ends = [what.ends() for what in space.values()]
    return (dict(zip(space, values, strict=True)) for values in islice(product(*ends), _EXAMPLES))


def read_space(content: Any, where: str) -> dict[str, Dimension]:
    """Read what a suite says of a space, checked.

    Raises:
        SettingError: naming the place and what would be right.
    """
    if not isinstance(content, dict) or not content:
        raise SettingError(
            f"{where}space must be a table of settings, for example space.dropout = {{low = 0.0, high = 0.5}}; "
            f"got {content!r}"
        )
    read = {name: read_dimension(name, what, f"{where}space: ") for name, what in content.items()}
    return {name: read[name] for name in SETTINGS if name in read}  # in one order, for what is proposed hangs on it


def read_dimension(name: str, content: Any, where: str) -> Dimension:
    """Read what may be tried of one setting: a list of values, or a table of the ends of a range.

    Raises:
        SettingError: naming the place and what would be right.
    """
    check_setting_name(name, where)
    if name == "max_iter":
        raise SettingError(f"{where}max_iter cannot be searched; set it in [settings]")
    if isinstance(content, list) and content:
        values = tuple(read_settings({name: value}, where)[name] for value in content)
        choices = Choices(values)
        if len(choices.by_name()) < len(values):
            raise SettingError(f"{where}{name} must have distinct values; got {content!r}")
        return choices
    if isinstance(content, dict):
        return _read_layers(content, where) if name == "hidden_layer_sizes" else _read_range(name, content, where)
    raise SettingError(
        f"{where}{name} must be a list of values or a range, for example {{low = 0.001, high = 0.1, log = true}}; "
        f"got {content!r}"
    )


def _read_range(name: str, content: dict[str, Any], where: str) -> Range:
    check_keys(content, ("low", "high", "log"), f"{where}{name}: ")
    low: Any = content.get("low")
    high: Any = content.get("high")
    log: Any = content.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool) and low < high and (low > 0 or not log)):
        raise SettingError(
            f"{where}{name} must have numbers low < high, which must be above 0 if log = true; got {content!r}"
        )
    read_settings({name: low}, where)
    read_settings({name: high}, where)
    whole = is_integer(low) and is_integer(high) and not isinstance(DEFAULTS[name], float)
    return Range(low, high, log, True) if whole else Range(float(low), float(high), log)


def _read_layers(content: dict[str, Any], where: str) -> Layers:
    check_keys(content, ("depth", "width"), f"{where}hidden_layer_sizes: ")
    ends: list[Any] = [content.get("depth"), content.get("width")]
    for least, pair in zip((0, 1), ends, strict=True):
        right = isinstance(pair, list) and len(pair) == 2 and all(map(is_integer, pair))
        if not right or not least <= pair[0] <= pair[1]:
            raise SettingError(
                f"{where}hidden_layer_sizes must be a list of values, or ranges of whole numbers in increasing order, "
                f"for example {{depth = [1, 3], width = [32, 1024]}}; got {content!r}"
            )
    (fewest, most), (narrowest, widest) = ends
    return Layers(Range(fewest, most, whole=True), Range(narrowest, widest, log=True, whole=True))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
