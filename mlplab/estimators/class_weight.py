"""The weights of classes, applied to rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.utils import compute_class_weight

from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError
from mlplab.training.batches import Rows


def apply_class_weight(rows: Rows, class_weight: Any, classes: Array) -> Rows:
    """Return the rows with their weights multiplied by the weights of their classes.

    Args:
        rows: with y as indices of the classes.
        class_weight: None, "balanced", or a weight for each class by its label or the text of its label.

    Raises:
        SettingError: for rows with several labels, or a label that is not a class.
        DataError: where every row has the weight 0.
    """
    if class_weight is None:
        return rows
    if rows.y.ndim > 1:
        raise SettingError("class_weight cannot be used with several labels a row: use sample_weight")
    given = class_weight
    if isinstance(given, Mapping):
        given = {label: given[name] for label in classes for name in given if str(name) == str(label)}
        if len(given) < len(class_weight):
            raise SettingError(f"class_weight names an unknown class; the classes are {classes}")
    of_class = compute_class_weight(given, classes=classes, y=classes[rows.y])
    weights = of_class[rows.y] * (1 if rows.weights is None else rows.weights)
    if not weights.any():
        raise DataError(f"class_weight={given!r} leaves no row that counts")
    return Rows(rows.X, rows.y, rows.scale, weights, rows.numbers)
