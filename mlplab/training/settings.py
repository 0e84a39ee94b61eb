"""Every setting of a network and its training: its name, its default and its allowed values.

This is the only list of the settings: the estimators inherit their constructors from it, and the lab and the command
line read the same fields. To add a setting, add its line here and use it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from mlplab.errors import SettingError, nearest, one_of, shorten
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.initializers import INITIALIZERS
from mlplab.nn.losses import LOSSES
from mlplab.nn.normalization import NORMALIZATIONS
from mlplab.nn.optimizers import OPTIMIZERS
from mlplab.nn.schedules import SCHEDULES, Schedule


@dataclass(frozen=True)
class Check:
    """The allowed values of a setting, as text and as a test; `names` are suggested for misspelt ones."""

    allowed: str
    accepts: Callable[[Any], bool]
    names: tuple[str, ...] = ()

    def __or__(self, other: Check) -> Check:
        return Check(
            f"{self.allowed} or {other.allowed}",
            lambda value: self.accepts(value) or other.accepts(value),
            self.names + other.names,
        )


def is_integer(value: Any) -> bool:
    """Return whether `value` is a whole number, of Python or NumPy; a bool is not."""
    return isinstance(value, Integral) and value is not True and value is not False


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite real number, of Python or NumPy; a bool is not."""
    return isinstance(value, Real) and value is not True and value is not False and isfinite(value)


def _number(low: float, high: float = inf, *, above: bool = False, below: bool = False) -> Check:
    """Allow numbers from `low` to `high`; `above` and `below` exclude the ends."""
    words = f"a number {'above' if above else 'of at least'} {low:g}"
    if high < inf:
        words += f" and {'below' if below else 'at most'} {high:g}"
    return Check(
        words,
        lambda v: is_number(v) and (v > low or (v == low and not above)) and (v < high or (v == high and not below)),
    )


def _integer(low: int) -> Check:
    return Check(f"a whole number of at least {low}", lambda v: is_integer(v) and v >= low)


def _name(table: Iterable[str]) -> Check:
    names = tuple(table)
    return Check(one_of(names), lambda v: isinstance(v, str) and v in names, names)


def _exactly(word: str, value: object) -> Check:
    return Check(word, lambda v: v is value)


def _own(what: str, *attributes: str) -> Check:
    return Check(f"your own {what}", lambda v: not isinstance(v, str | type) and all(hasattr(v, a) for a in attributes))


def _is_widths(value: Any) -> bool:
    if is_integer(value):
        return bool(value >= 1)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray):
        return False
    return all(is_integer(width) and width >= 1 for width in value)


def _is_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(is_number(weight) and weight >= 0 for weight in value.values())


def _is_callbacks(value: Any) -> bool:
    methods = ("on_fit_begin", "on_epoch_end", "on_fit_end")
    return isinstance(value, Sequence) and all(
        not isinstance(callback, type) and all(hasattr(callback, method) for method in methods) for callback in value
    )


def _each(check: Check) -> Check:
    return Check(
        "a list with one for each hidden layer",
        lambda v: isinstance(v, list | tuple) and len(v) > 0 and all(map(check.accepts, v)),
        check.names,
    )


_ACTIVATION = _name(ACTIVATIONS) | _own("activation", "needs_z", "forward", "backward")
_OWN_LOSS = _own("loss", "out_activation", "value_and_delta", "predict")
_NONE = _exactly("None", None)
_BOOLEAN = Check("True or False", lambda v: isinstance(v, bool | np.bool_))
_FLOATS = (np.float32, np.float64)


def _setting(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


def _losses_for(out_activation: str) -> list[str]:
    return [name for name, losses in LOSSES.items() if out_activation in losses]


@dataclass(eq=False, repr=False)
class SharedSettings:
    """The settings of every network; `NeuralNetworkClassifier` explains each of them."""

    hidden_layer_sizes: Any = _setting(
        (100,), Check("whole numbers of at least 1, one for each hidden layer", _is_widths)
    )
    activation: Any = _setting("relu", _ACTIVATION | _each(_ACTIVATION))
    _: KW_ONLY
    solver: Any = _setting(
        "adam", _name([*OPTIMIZERS, "lbfgs"]) | Check("your own function(network, settings)", callable)
    )
    alpha: float = _setting(0.0001, _number(0))
    batch_size: Any = _setting("auto", _name(["auto"]) | _integer(1))
    learning_rate: Any = _setting(
        "constant", _name(SCHEDULES) | Check("your own Schedule", lambda v: isinstance(v, Schedule))
    )
    learning_rate_init: float = _setting(0.001, _number(0, above=True))
    power_t: float = _setting(0.5, _number(0))
    max_iter: int = _setting(200, _integer(1))
    shuffle: bool = _setting(True, _BOOLEAN)
    random_state: Any = _setting(
        None,
        _NONE
        | _integer(0)
        | Check(
            "a numpy RandomState or Generator", lambda v: isinstance(v, np.random.RandomState | np.random.Generator)
        ),
    )
    tol: float | None = _setting(0.0001, _NONE | _number(0))
    verbose: Any = _setting(False, _BOOLEAN | _integer(0))
    warm_start: bool = _setting(False, _BOOLEAN)
    momentum: float = _setting(0.9, _number(0, 1))
    nesterovs_momentum: bool = _setting(True, _BOOLEAN)
    early_stopping: bool = _setting(False, _BOOLEAN)
    validation_fraction: float = _setting(0.1, _number(0, 1, above=True, below=True))
    beta_1: float = _setting(0.9, _number(0, 1, below=True))
    beta_2: float = _setting(0.999, _number(0, 1, below=True))
    epsilon: float = _setting(1e-8, _number(0, above=True))
    n_iter_no_change: Any = _setting(10, _integer(1) | Check("infinity", lambda v: isinstance(v, Real) and v == inf))
    max_fun: int = _setting(15000, _integer(1))
    initializer: Any = _setting(
        "auto", _name(["auto", *INITIALIZERS]) | Check("your own function(rng, inputs, outputs)", callable)
    )
    fit_intercept: bool = _setting(True, _BOOLEAN)
    weight_decay: float = _setting(0.0, _number(0))
    l1: float = _setting(0.0, _number(0))
    max_norm: float | None = _setting(None, _NONE | _number(0, above=True))
    dropout: float = _setting(0.0, _number(0, 1, below=True))
    input_dropout: float = _setting(0.0, _number(0, 1, below=True))
    input_noise: float = _setting(0.0, _number(0))
    hidden_noise: float = _setting(0.0, _number(0))
    normalization: Any = _setting(
        None, _NONE | _name(NORMALIZATIONS) | _own("normalization", "runs", "forward", "backward")
    )
    ema_decay: float | None = _setting(None, _NONE | _number(0, 1, below=True))
    average_epochs: int = _setting(0, _integer(0))
    clip_norm: float | None = _setting(None, _NONE | _number(0, above=True))
    rho: float = _setting(0.9, _number(0, 1, below=True))
    learning_rate_decay: float | None = _setting(None, _NONE | _number(0, 1, above=True))
    learning_rate_step: int = _setting(10, _integer(1))
    warmup_epochs: float = _setting(0.0, _number(0))
    input_scale: float = _setting(1.0, _number(0, above=True))
    callbacks: Any = _setting((), Check("a list of Callback objects", _is_callbacks))
    dtype: Any = _setting(
        None, _NONE | Check("'float32' or 'float64'", lambda v: v in ("float32", "float64", *_FLOATS))
    )


@dataclass(eq=False, repr=False, kw_only=True)
class Settings(SharedSettings):
    """The settings of a classifier, which the lab and the command line use too."""

    loss: Any = _setting("cross_entropy", _name(_losses_for("softmax")) | _OWN_LOSS)
    label_smoothing: float = _setting(0.0, _number(0, 1, below=True))
    class_weight: Any = _setting(
        None, _NONE | _name(["balanced"]) | Check("weights of at least 0 by class", _is_weights)
    )


@dataclass(eq=False, repr=False, kw_only=True)
class RegressorSettings(SharedSettings):
    """The settings of a regressor."""

    loss: Any = _setting("squared_error", _name([*_losses_for("identity"), *_losses_for("exp")]) | _OWN_LOSS)


SETTINGS = {f.name: f for f in fields(Settings)}
DEFAULTS = {name: f.default for name, f in SETTINGS.items()}


def check_setting_name(name: str, where: str = "") -> None:
    """Raise SettingError, suggesting the closest name, unless `name` is a setting; `where` precedes the message."""
    if name not in SETTINGS:
        raise SettingError(f"{where}unknown setting {name!r}{nearest(name, SETTINGS)}")


def check_settings(values: Mapping[str, Any], where: str = "", of: type[SharedSettings] = Settings) -> None:
    """Raise SettingError for the first value that its setting does not allow; `where` precedes the message.

    of: the class that declares the settings.
    """
    checks: dict[str, Check] = {f.name: f.metadata["check"] for f in fields(of)}
    for name, value in values.items():
        check_setting_name(name, where)
        check = checks[name]
        try:
            accepted = check.accepts(value)
        except (TypeError, ValueError, ArithmeticError):  # a value that cannot be compared
            accepted = False
        if not accepted:
            raise SettingError(
                f"{where}{name} must be {check.allowed}; got {shorten(value)}{nearest(value, check.names)}"
            )


def layer_widths(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers as a tuple; a single number is one layer."""
    return (int(hidden_layer_sizes),) if is_integer(hidden_layer_sizes) else tuple(map(int, hidden_layer_sizes))


def check_count(name: str, value: Any, where: str = "") -> int:
    """Return `value`, or raise SettingError unless it is a whole number of at least 1."""
    if not is_integer(value) or value < 1:
        raise SettingError(f"{where}{name} must be a whole number of at least 1; got {value!r}")
    return int(value)


def parse_assignment(text: str, option: str = "--set", example: str = "max_iter=2") -> tuple[str, Any]:
    """Parse ``KEY=VALUE`` of the command line: the value as TOML, otherwise as text; with commas, as a list.

    Raises:
        SettingError: for a text without ``=`` or an unknown setting.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingError(f"{option} {text}: write KEY=VALUE, such as {option} {example}")
    name = name.strip()
    check_setting_name(name, f"{option}: ")
    return name, from_plain(parse_value(value))


def parse_value(text: str) -> Any:
    """Parse a text as TOML; otherwise return it unchanged or, with commas, as a list."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [parse_value(part) for part in text.split(",")] if "," in text and "[" not in text else text.strip()


# TOML has no null: "none" stands for None when reading and writing. Python's True and False are accepted too, and "inf"
# is infinity in a trial.json.
_WORDS = {"none": None, "None": None, "True": True, "False": False, "inf": inf}


def from_plain(value: Any) -> Any:
    """Convert a value from a TOML file to a setting's value: lists to tuples, "none" to None."""
    if isinstance(value, str):
        return _WORDS.get(value, value)
    return tuple(value) if isinstance(value, list) else value


def to_plain(value: Any) -> Any:
    """Convert a setting's value, or a table of them, to the value in a TOML file."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return {name: to_plain(v) for name, v in value.items()}
    return [to_plain(v) for v in value] if isinstance(value, tuple) else value
