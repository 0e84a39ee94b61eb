"""scikit-learn's MLPClassifier, on float32 rows, in which it computes then.

It has no callbacks, but with verbose=True it says a line after every epoch: the time between two of them is an epoch's,
and neither its checks of the input nor the drawing of its weights is counted.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from time import perf_counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import LEARNING_RATES, Case
from benchmarks.rows import Array


class _Clock(io.StringIO):
    """Notes when every epoch was reported."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def write(self, text: str) -> int:
        if text.startswith("Iteration"):
            self.ends.append(perf_counter())
        return len(text)


def training(case: Case, X: Array, y: Array) -> Callable[[], float]:
    def run() -> float:
        clock = _Clock()
        with redirect_stdout(clock):
            _fit(
                X,
                y,
                hidden_layer_sizes=case.sizes[1:-1],
                solver=case.solver,
                momentum=0,
                alpha=0,
                batch_size=case.batch_size,
                learning_rate_init=LEARNING_RATES[case.solver],
                max_iter=1 + case.epochs,
                n_iter_no_change=2 + case.epochs,  # never stop before
                verbose=True,
            )
        return clock.ends[-1] - clock.ends[0]

    return run


def predicting(sizes: tuple[int, ...], X: Array) -> Callable[[], object]:
    y = np.arange(100) % sizes[-1]  # predictions take as long with any weights
    model = _fit(X[:100], y, hidden_layer_sizes=sizes[1:-1], max_iter=1)
    return lambda: model.predict_proba(X)


def _fit(X: Array, y: Array, **settings: object) -> MLPClassifier:
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        return MLPClassifier(activation="logistic", random_state=0, **settings).fit(X, y)
