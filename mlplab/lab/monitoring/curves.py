"""The names and values of the curves that TensorBoard and MLflow show."""

from __future__ import annotations

from math import isfinite

from mlplab.training.history import MEASURES, Epoch

#: The columns of a history, by the names under which both tools group their curves, such as "loss/validation".
_CURVES = {f"{measure.name}/{measure.rows}": measure.column for measure in MEASURES}


def measures(epoch: Epoch) -> dict[str, float]:
    """Return the finite measures of an epoch by the name of their curve."""
    values = {name: getattr(epoch, column) for name, column in _CURVES.items()}
    return {name: value for name, value in values.items() if isfinite(value)}
