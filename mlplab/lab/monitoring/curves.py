"""The curves that other tools get, and what they are called there."""

from __future__ import annotations

from math import isfinite

from mlplab.training.history import Epoch

#: The curves, by the names under which both tools group them.
_CURVES = {
    "loss/training": "train_loss",
    "loss/validation": "val_loss",
    "accuracy/training": "train_accuracy",
    "accuracy/validation": "val_accuracy",
}


def measures(epoch: Epoch) -> dict[str, float]:
    """Return the measures of an epoch that are numbers, by the name of their curve."""
    values = {name: getattr(epoch, column) for name, column in _CURVES.items()}
    return {name: value for name, value in values.items() if isfinite(value)}
