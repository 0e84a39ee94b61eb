"""NumPy formulas as ONNX nodes: a stand-in for an array that records the operations on it.

The activations in `mlplab.nn.activations` run on it unchanged, also where they assign in place. A new activation needs
no code here as long as it uses only functions in the tables below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from mlplab.errors import SettingError

#: Adds a node for an operator, with inputs by name or as constants, and attributes; returns the name of its output.
Add = Callable[..., str]

#: Functions that map to one operator.
_OPERATORS: dict[Any, str] = {
    np.absolute: "Abs",
    np.add: "Add",
    np.arctan: "Atan",
    np.ceil: "Ceil",
    np.cos: "Cos",
    np.divide: "Div",
    np.exp: "Exp",
    np.floor: "Floor",
    np.log: "Log",
    np.maximum: "Max",
    np.minimum: "Min",
    np.multiply: "Mul",
    np.negative: "Neg",
    np.power: "Pow",
    np.reciprocal: "Reciprocal",
    np.sign: "Sign",
    np.sin: "Sin",
    np.sinh: "Sinh",
    np.cosh: "Cosh",
    np.sqrt: "Sqrt",
    np.subtract: "Sub",
    np.tanh: "Tanh",
}
#: Functions whose result is boolean.
_COMPARISONS: dict[Any, str] = {
    np.greater: "Greater",
    np.greater_equal: "GreaterOrEqual",
    np.less: "Less",
    np.less_equal: "LessOrEqual",
    np.equal: "Equal",
}
#: Functions that map to several operators.
_COMPOSED: dict[Any, Callable[..., str]] = {
    np.expm1: lambda add, x: add("Sub", add("Exp", x), np.array(1)),
    np.log1p: lambda add, x: add("Log", add("Add", x, np.array(1))),
    # log(eˣ + eʸ) = y + softplus(x - y)
    np.logaddexp: lambda add, x, y: add("Add", y, add("Softplus", add("Sub", x, y))),
    np.square: lambda add, x: add("Mul", x, x),
}


class Traced(NDArrayOperatorsMixin):
    """An array without values, known by its name; `numpy.lib.mixins.NDArrayOperatorsMixin` provides its operators.

    Args:
        add: adds nodes.
        name: the name of the value in the graph; replaced when the array is changed in place.
        boolean: whether the values are booleans.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, add: Add, name: str, boolean: bool = False) -> None:
        self._add, self.name, self._boolean = add, name, boolean

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Traced:
        """Record an element-wise function."""
        (out,) = options.pop("out", (None,))
        if method != "__call__" or options:
            raise _unknown(f"{function.__name__}.{method}" if method != "__call__" else function.__name__)
        arguments = [self._number(given) for given in inputs]
        if function in _COMPOSED:
            name = _COMPOSED[function](self._add, *arguments)
        elif function in _OPERATORS or function in _COMPARISONS:
            name = self._add(_OPERATORS.get(function) or _COMPARISONS[function], *arguments)
        else:
            raise _unknown(function.__name__)
        return self._give(name, out, function in _COMPARISONS)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Traced:
        """Record another function of NumPy."""
        if function not in _FUNCTIONS:
            raise _unknown(function.__name__)
        result: Traced = _FUNCTIONS[function](self, *arguments, **options)
        return result

    def __getitem__(self, index: Any) -> Traced:
        if index is not ...:
            raise _unknown("a part of an array")
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self[index]._give(self._number(value), self, False)

    def copy(self) -> Traced:
        """Return another array with the same value."""
        return Traced(self._add, self.name, self._boolean)

    def _number(self, given: Any) -> Any:
        """Return an operand for a numeric operator: a name or a constant."""
        if not isinstance(given, Traced):
            return np.asarray(given)
        return self._add("Cast", given.name, to=1) if given._boolean else given.name

    def _give(self, name: Any, out: Traced | None, boolean: bool = False) -> Traced:
        if out is None:
            return Traced(self._add, name, boolean)
        out.name = name if isinstance(name, str) else self._add("Identity", name)
        out._boolean = boolean
        return out

    def _clip(self, x: Any, low: Any = None, high: Any = None, out: Any = None) -> Traced:
        name = self._number(x)
        for operator, bound in (("Max", low), ("Min", high)):
            name = name if bound is None else self._add(operator, name, self._number(bound))
        return self._give(name, out)

    def _where(self, condition: Any, x: Any, y: Any) -> Traced:
        chosen = condition.name if condition._boolean else self._add("Cast", condition.name, to=9)
        return self._give(self._add("Where", chosen, self._number(x), self._number(y)), None)

    def _empty_like(self, x: Traced, **_: Any) -> Traced:
        return x.copy()


_FUNCTIONS: dict[Any, Callable[..., Traced]] = {
    np.clip: Traced._clip,
    np.where: Traced._where,
    np.empty_like: Traced._empty_like,
}


def _unknown(what: str) -> SettingError:
    return SettingError(
        f"an activation that uses {what} cannot be exported: mlplab/export/tracing.py lists the functions that can"
    )
