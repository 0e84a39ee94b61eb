"""Every setting of a network and its training: its name, its default and what it may be. The one list of them.

The estimator inherits its constructor from here, and the lab and the command line read the same fields. To add a
setting: add its line here and use it.
"""

from __future__ import annotations

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
from mlplab.nn.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Check:
    """What a value may be, in words and as a test; `names` are those among which a misspelt one is searched."""

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
    """Return whether `value` is a whole number, of Python or NumPy; a bool is none."""
    return isinstance(value, Integral) and value is not True and value is not False


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite real number, of Python or NumPy; a bool is none."""
    return isinstance(value, Real) and value is not True and value is not False and isfinite(value)


def _number(low: float, high: float = inf, *, above: bool = False, below: bool = False) -> Check:
    """Allow numbers from `low` to `high`; `above` and `below` leave the ends themselves out."""
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


def _is_callbacks(value: Any) -> bool:
    methods = ("on_fit_begin", "on_epoch_end", "on_fit_end")
    return isinstance(value, Sequence) and all(
        not isinstance(callback, type) and all(hasattr(callback, method) for method in methods) for callback in value
    )


_NONE = _exactly("None", None)
_BOOLEAN = Check("True or False", lambda v: isinstance(v, bool | np.bool_))
_FLOATS = (np.float32, np.float64)


def _setting(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(eq=False, repr=False)
class Settings:
    """The settings; what each means is told in `NeuralNetworkClassifier`."""

    hidden_layer_sizes: Any = _setting((100,), Check("whole numbers of at least 1, one a hidden layer", _is_widths))
    activation: Any = _setting("relu", _name(ACTIVATIONS) | _own("activation", "needs_z", "forward", "backward"))
    _: KW_ONLY
    solver: str = _setting("adam", _name(OPTIMIZERS))
    alpha: float = _setting(0.0001, _number(0))
    batch_size: Any = _setting("auto", _name(["auto"]) | _integer(1))
    learning_rate_init: float = _setting(0.001, _number(0, above=True))
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
    momentum: float = _setting(0.9, _number(0, 1))
    nesterovs_momentum: bool = _setting(True, _BOOLEAN)
    early_stopping: bool = _setting(False, _BOOLEAN)
    validation_fraction: float = _setting(0.1, _number(0, 1, above=True, below=True))
    beta_1: float = _setting(0.9, _number(0, 1, below=True))
    beta_2: float = _setting(0.999, _number(0, 1, below=True))
    epsilon: float = _setting(1e-8, _number(0, above=True))
    n_iter_no_change: Any = _setting(10, _integer(1) | Check("infinity", lambda v: isinstance(v, Real) and v == inf))
    initializer: Any = _setting(
        "auto", _name(["auto", *INITIALIZERS]) | Check("your own function(rng, inputs, outputs)", callable)
    )
    fit_intercept: bool = _setting(True, _BOOLEAN)
    weight_decay: float = _setting(0.0, _number(0))
    loss: Any = _setting(
        "cross_entropy", _name(LOSSES) | _own("loss", "out_activation", "value_and_delta", "probabilities", "decide")
    )
    input_scale: float = _setting(1.0, _number(0, above=True))
    callbacks: Any = _setting((), Check("a list of Callback objects", _is_callbacks))
    dtype: Any = _setting(
        None, _NONE | Check("'float32' or 'float64'", lambda v: v in ("float32", "float64", *_FLOATS))
    )


SETTINGS = {f.name: f for f in fields(Settings)}
DEFAULTS = {name: f.default for name, f in SETTINGS.items()}


def check_setting_name(name: str, where: str = "") -> None:
    """Raise SettingError, naming the nearest right one, unless `name` is a setting; `where` goes before the message."""
    if name not in SETTINGS:
        raise SettingError(f"{where}unknown setting {name!r}{nearest(name, SETTINGS)}")


def check_settings(values: Mapping[str, Any], where: str = "") -> None:
    """Raise SettingError for the first value that its setting does not allow; `where` goes before the message."""
    for name, value in values.items():
        check_setting_name(name, where)
        check: Check = SETTINGS[name].metadata["check"]
        try:
            accepted = check.accepts(value)
        except (TypeError, ValueError, ArithmeticError):  # a value too odd to be looked at
            accepted = False
        if not accepted:
            raise SettingError(
                f"{where}{name} must be {check.allowed}; got {shorten(value)}{nearest(value, check.names)}"
            )


def layer_widths(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers as a tuple; a single number is one layer."""
    return (int(hidden_layer_sizes),) if is_integer(hidden_layer_sizes) else tuple(map(int, hidden_layer_sizes))
