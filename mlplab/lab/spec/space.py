"""The space of a search: the values or the range of each setting."""

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
    """A choice of values without an order; a list in a suite file."""

    values: tuple[Any, ...]

    def parameters(self, name: str) -> dict[str, Choices | Range]:
        """Return the parameters that a sampler chooses, by name."""
        return {name: self}

    def value(self, name: str, chosen: Mapping[str, Any]) -> Any:
        """Return the setting's value for the parameters that a sampler chose; a choice is named by its text."""
        return self.by_name()[chosen[name]]

    def ends(self) -> Sequence[Any]:
        """Return all values, because they have no order."""
        return self.values

    def by_name(self) -> dict[str, Any]:
        """Return the values by their texts, see `describe_value`."""
        return {describe_value(value): value for value in self.values}

    def to_plain(self) -> Any:
        """Return the content of a suite file."""
        return [to_plain(value) for value in self.values]


@dataclass(frozen=True)
class Range:
    """A range of numbers.

    Attributes:
        low, high: the ends, both included.
        log: whether samplers draw on a logarithmic scale.
        whole: whether only integers are allowed.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def parameters(self, name: str) -> dict[str, Choices | Range]:
        """Return the parameters that a sampler chooses, by name."""
        return {name: self}

    def value(self, name: str, chosen: Mapping[str, Any]) -> Any:
        """Return the setting's value for the parameters that a sampler chose."""
        return chosen[name]

    def ends(self) -> Sequence[Any]:
        """Return the two ends."""
        return self.low, self.high

    def round(self, number: float) -> float:
        """Round a number to three significant digits within the range, to keep labels short."""
        return number if self.whole else min(max(float(f"{number:.3g}"), self.low), self.high)

    def to_plain(self) -> Any:
        """Return the content of a suite file."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Layers:
    """The hidden layers: their number is in `depth`, and their common width is in `width`."""

    depth: Range
    width: Range

    def parameters(self, name: str) -> dict[str, Choices | Range]:
        """Return the parameters that a sampler chooses, by name."""
        return {f"{name}.depth": self.depth, f"{name}.width": self.width}

    def value(self, name: str, chosen: Mapping[str, Any]) -> Any:
        """Return the setting's value for the parameters that a sampler chose."""
        return (chosen[f"{name}.width"],) * chosen[f"{name}.depth"]

    def ends(self) -> Sequence[Any]:
        """Return the four combinations of the ends of `depth` and `width`."""
        return [(width,) * depth for depth in self.depth.ends() for width in self.width.ends()]

    def to_plain(self) -> Any:
        """Return the content of a suite file."""
        return {"depth": [self.depth.low, self.depth.high], "width": [self.width.low, self.width.high]}


Dimension = Choices | Range | Layers
Space = Mapping[str, Dimension]

#: The maximum number of combinations of a space that are checked before a search.
_EXAMPLES = 2000


def examples(space: Space) -> Iterator[dict[str, Any]]:
    """Yield combinations of all choices and the ends of all ranges of a space, at most 2,000."""
    ends = [what.ends() for what in space.values()]
    return (dict(zip(space, values, strict=True)) for values in islice(product(*ends), _EXAMPLES))


def read_space(content: Any, where: str) -> dict[str, Dimension]:
    """Read and check the space of a search in a suite file.

    Raises:
        SettingError: for invalid content; the message names the place and the allowed values.
    """
    if not isinstance(content, dict) or not content:
        raise SettingError(
            f"{where}space must be a table of settings, for example space.dropout = {{low = 0.0, high = 0.5}}; "
            f"got {content!r}"
        )
    read = {name: read_dimension(name, what, f"{where}space: ") for name, what in content.items()}
    return {name: read[name] for name in SETTINGS if name in read}  # a fixed order, because the proposals depend on it


def read_dimension(name: str, content: Any, where: str) -> Dimension:
    """Read the values or the range of one setting: a list of values, or a table with the ends of a range.

    Raises:
        SettingError: for invalid content; the message names the place and the allowed values.
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
