"""Encode labels as indices into the sorted classes."""

from __future__ import annotations

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import DataError, shorten


def encode(labels: Array, classes: Array, what: str) -> Array:
    """Return the index of each label in `classes`, in the smallest integer type that fits, (rows,).

    Args:
        labels: (rows,).
        classes: the sorted classes.
        what: the name of the labels in error messages.

    Raises:
        DataError: for a label that is not among the classes.
    """
    codes = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    unknown = labels[classes[codes] != labels]
    if len(unknown):
        raise DataError(f"{what}: the label {shorten(unknown.item(0))} is not among the known classes")
    smallest: Array = codes.astype(np.min_scalar_type(len(classes) - 1))
    return smallest
