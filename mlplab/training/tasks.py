"""The task of a network, to predict classes, labels or values, with its targets and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mlplab.engine.base import Array
from mlplab.metrics import METRICS, Metric


@dataclass(frozen=True)
class Task:
    """The task that a network is trained for.

    `y` contains an index into `table` for every row, (N,), or, if there is no table, the targets themselves, (N, C).

    Attributes:
        outputs: C, the number of outputs of the network.
        label_smoothing: the share of the probability that targets spread evenly over all classes. Source: Szegedy et
            al. 2016, section 7.
    """

    #: The output non-linearities that suit the task, the best first: a loss must have one of them.
    out_activations: ClassVar[tuple[str, ...]] = ("logistic",)
    #: Metrics of the validation rows after every epoch, besides the loss; they are means over rows.
    metrics: ClassVar[tuple[Metric, ...]] = (METRICS["accuracy"], METRICS["brier"])
    #: The metric that early stopping monitors.
    watched: ClassVar[Metric] = METRICS["accuracy"]

    outputs: int = 1
    label_smoothing: float = 0.0

    def table(self, smooth: bool) -> Array | None:
        """Return the target of each class, (classes, C), smoothed or not; None where `y` holds the targets."""
        return None

    def strata(self, y: Array) -> Array | None:
        """Return the class of every row for scikit-learn's stratified splits; None if rows have no classes."""
        return None

    def decide(self, xp: Any, z: Array) -> Array:
        """Return the predictions from the logits (M, B, C), in the form of `y`."""
        raise NotImplementedError

    def right(self, xp: Any, z: Array, y: Array) -> Array:
        """Return whether each row (M, B) is predicted correctly; NaN if the task does not define that."""
        right: Array = self.decide(xp, z) == y
        return right

    def true(self, y: Array) -> Array:
        """Return `y` in the form that metrics take: indices of classes, labels of 0 and 1, or values."""
        return y

    def probabilities(self, xp: Any, p: Array) -> Array:
        """Return the probability of each class or label from the predictions of the loss, (M, B, C)."""
        return p

    # T ← (1 - ε)·T + ε/K
    def _smooth(self, table: Array, smooth: bool) -> Array:
        share = self.label_smoothing if smooth else 0.0
        return (1 - share) * table + share / len(table)


class TwoClasses(Task):
    """One of two classes: a single output, for the second class. Also for a single class, which is always predicted."""

    def table(self, smooth: bool) -> Array | None:
        return self._smooth(np.array([[0.0], [1.0]]), smooth)

    def strata(self, y: Array) -> Array:
        # scikit-learn's own form for two classes, so that the error for a class with a single row is the same
        strata: Array = (y == 1)[:, None]
        return strata

    def decide(self, xp: Any, z: Array) -> Array:
        decided: Array = xp.where(z[..., 0] > 0, 1, 0)
        return decided

    def probabilities(self, xp: Any, p: Array) -> Array:
        both: Array = xp.concatenate([1 - p, p], axis=-1)
        return both


class ManyClasses(Task):
    """One class of several: an output for each."""

    out_activations = ("softmax",)

    def table(self, smooth: bool) -> Array | None:
        return self._smooth(np.eye(self.outputs), smooth)

    def strata(self, y: Array) -> Array:
        return y

    def decide(self, xp: Any, z: Array) -> Array:
        decided: Array = z.argmax(axis=-1)
        return decided


class Labels(Task):
    """Any of several labels: an output for each. A row is correct when all its labels are."""

    def decide(self, xp: Any, z: Array) -> Array:
        return z > 0

    def right(self, xp: Any, z: Array, y: Array) -> Array:
        right: Array = (self.decide(xp, z) == self.true(y)).all(axis=-1)
        return right

    def true(self, y: Array) -> Array:
        return y > 0


class Values(Task):
    """Numbers: an output for each. The accuracy is not defined and is NaN."""

    out_activations = ("identity", "exp")
    metrics = (METRICS["mse"],)
    watched = METRICS["mse"]  # the regressor itself monitors R², which ranks epochs equally for a single output

    def decide(self, xp: Any, z: Array) -> Array:
        return z

    def right(self, xp: Any, z: Array, y: Array) -> Array:
        return np.full(y.shape[:-1], np.nan)


def classify(classes: int, label_smoothing: float = 0.0) -> Task:
    """Return the task of predicting one of this many classes."""
    return ManyClasses(classes, label_smoothing) if classes > 2 else TwoClasses(1, label_smoothing)
