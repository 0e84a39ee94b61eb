"""What a metric is, and the weighted mean that most metrics are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from mlplab.engine.base import Array
from mlplab.utils.text import percent

#: What a metric is computed from; see `Metric`.
Needs = Literal["labels", "probabilities", "values"]
#: Computes each row's value, (rows,), from the truth and the predictions.
RowValues = Callable[[Array, Array], Array]


class Value(Protocol):
    """Computes a metric from the truth, the predictions and the weights of the rows, (rows,); None weighs all alike."""

    def __call__(self, true: Array, predicted: Array, weights: Array | None = None) -> float: ...


@dataclass(frozen=True)
class Metric:
    """A number that compares predictions with the truth.

    The arrays that `value` and `row_values` take depend on `needs`. There must be at least one row, and one row that
    weighs more than 0.

    ================  =================================================================================================
    "labels"          true and predicted (rows,), a class each; or both (rows, labels), 0 or 1 each
    "probabilities"   true (rows,), indices of classes, and predicted (rows, classes), each row of sum 1; or both
                      (rows, labels): 0 or 1 each, and the probability of a 1
    "values"          true and predicted (rows,) or (rows, outputs)
    ================  =================================================================================================

    Attributes:
        name: in `METRICS`; tables and files call the metric of the validation rows ``val_NAME``.
        greater_is_better: whether larger values are better.
        needs: what the metric is computed from.
        value: ``value(true, predicted, weights=None)`` returns the metric of all rows.
        row_values: ``row_values(true, predicted)`` returns each row's value, (rows,), whose weighted mean is the
            metric; None for a metric that is not a mean over rows.
        in_percent: whether the metric is a share of 1 that people read in percent.
    """

    name: str
    greater_is_better: bool
    needs: Needs
    value: Value
    row_values: RowValues | None = None
    in_percent: bool = False

    @property
    def column(self) -> str:
        """The name of the metric of the validation rows, as an attribute of an epoch and a column of a table."""
        return f"val_{self.name}"

    def score(self, value: float) -> float:
        """Return a value of the metric such that larger is better: the value itself or its negative."""
        return value if self.greater_is_better else -value

    def format(self, value: float) -> str:
        """Return a value of the metric as text: ``97.25 %`` or ``0.0312``."""
        return percent(value) if self.in_percent else f"{value:.4f}"


def mean_of(row_values: RowValues) -> Value:
    """Return the function that computes the weighted mean of the rows' values."""

    def value(true: Array, predicted: Array, weights: Array | None = None) -> float:
        values = row_values(true, predicted)
        if weights is None:
            return float(values.mean(dtype=np.float64))
        return float((values * weights).sum(dtype=np.float64) / weights.sum(dtype=np.float64))

    return value
