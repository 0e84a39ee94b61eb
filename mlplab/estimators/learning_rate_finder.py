"""The search for a learning rate: increase it step by step and observe where the loss falls and where it explodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from mlplab.errors import DivergenceError, SettingError
from mlplab.estimators.base import NeuralNetwork
from mlplab.nn.schedules import Schedule
from mlplab.training.callbacks import Callback

#: The weight of the previous smoothed loss in each step.
_SMOOTHING = 0.9


@dataclass(frozen=True)
class LearningRates:
    """The result of `find_learning_rate`.

    Attributes:
        rates: the learning rate of every step, in increasing order.
        losses: the mean loss of every step's batch, smoothed.
        suggestion: a tenth of the rate at which the loss was lowest.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float


class _Rising(Schedule):
    """A schedule that uses the given rates one after another, one per step."""

    def __init__(self, rates: Sequence[float]) -> None:
        self._rates: Iterator[float] = iter(rates)

    def factor(self, epoch: float, rows: int) -> float:
        return next(self._rates)


class _Watch(Callback):
    """Keeps the smoothed losses, and stops training when they explode."""

    def __init__(self, steps: int) -> None:
        self._steps, self._mean = steps, 0.0
        self.losses: list[float] = []

    def on_batch_end(self, estimator: Any, loss: float) -> bool:
        # a running mean, corrected for its start at 0 as Adam's is
        self._mean = _SMOOTHING * self._mean + (1 - _SMOOTHING) * loss
        self.losses.append(self._mean / (1 - _SMOOTHING ** (len(self.losses) + 1)))
        exploded = not isfinite(loss) or self.losses[-1] > 4 * min(self.losses)
        return exploded or len(self.losses) == self._steps


def find_learning_rate(
    estimator: NeuralNetwork,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
) -> LearningRates:
    """Train a copy of an estimator with a learning rate that increases in every step, and return the losses.

    Source: Smith 2017, section 3.3; the suggestion is that of Howard and Gugger 2020, chapter 5. `plot_learning_rates`
    draws it. The estimator is not changed; its schedule, its stopping rule and its callbacks are not used.

    Args:
        X: (rows, features). y: (rows,).
        lowest, highest: the learning rates of the first and of the last step.
        steps: the number of steps; training stops earlier if the loss exceeds four times its lowest value.

    Raises:
        SettingError: for solver "lbfgs", which has no learning rate.
    """
    if getattr(estimator, "solver", None) == "lbfgs":
        raise SettingError("solver='lbfgs' has no learning rate")
    if not 0 < lowest < highest or steps < 10:
        raise SettingError(
            f"find_learning_rate needs 0 < lowest < highest and at least 10 steps; got {lowest}, {highest}, {steps}"
        )
    rows = len(np.asarray(y))
    batch = min(200, rows) if estimator.batch_size == "auto" else min(estimator.batch_size, rows)
    rates, watch = np.geomspace(lowest, highest, steps).tolist(), _Watch(steps)
    copy = clone(estimator).set_params(
        learning_rate=_Rising(rates),
        learning_rate_init=1.0,
        warmup_epochs=0.0,
        max_iter=ceil(steps / ceil(rows / batch)),
        tol=None,
        early_stopping=False,
        warm_start=False,
        verbose=False,
        callbacks=[watch],
    )
    with suppress(DivergenceError):  # which the search provokes
        copy.fit(X, y)
    losses = [loss for loss in watch.losses if isfinite(loss)]
    if not losses:
        raise DivergenceError(f"the loss was not finite at the lowest learning rate, {lowest:g}: scale the features")
    best = int(np.argmin(losses))
    return LearningRates(rates[: len(losses)], losses, rates[best] / 10)
