"""mlplab, through its public classifier.

Its epochs are those of a whole `fit`, as every user gets them: gathering the rows, and also what the frameworks' bare
loops leave out, the training loss and accuracy of every batch and, once an epoch, the check that everything is still
finite. Only what comes before the first epoch's end is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.cases import LEARNING_RATES, Case
from benchmarks.rows import Array, random_matrices
from mlplab import Callback, NeuralNetworkClassifier
from mlplab.engine.numpy_engine import NumpyEngine


class _Clock(Callback):
    """Notes when every epoch ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_epoch_end(self, estimator: Any, epoch: Any) -> None:
        self.ends.append(perf_counter())


def training(case: Case, X: Array, y: Array) -> Callable[[], float]:
    def run() -> float:
        clock = _Clock()
        NeuralNetworkClassifier(
            case.sizes[1:-1],
            "sigmoid",
            solver=case.solver,
            momentum=0,
            alpha=0,
            batch_size=case.batch_size,
            learning_rate_init=LEARNING_RATES[case.solver],
            max_iter=1 + case.epochs,
            tol=None,
            random_state=0,
            callbacks=[clock],
        ).fit(X, y)
        return clock.ends[-1] - clock.ends[0]

    return run


def predicting(sizes: tuple[int, ...], X: Array) -> Callable[[], object]:
    y = np.arange(100) % sizes[-1]  # predictions take as long with any weights
    model = NeuralNetworkClassifier(sizes[1:-1], "sigmoid", max_iter=1, tol=None, random_state=0).fit(X[:100], y)
    return lambda: model.predict_proba(X)


def product(m: int, k: int, n: int) -> Callable[[], object]:
    engine = NumpyEngine(np.float32)
    A, B, out = engine.matrices(1, m, k), engine.matrices(1, k, n), engine.matrices(1, m, n)
    A[0], B[0] = random_matrices(m, k, n)
    return lambda: engine.matmul(A, B, out)
