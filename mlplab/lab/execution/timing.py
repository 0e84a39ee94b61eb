"""The training speed of this machine, measured on a few steps of each kind of network, and the time of many jobs."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from mlplab.data import Dataset, Split
from mlplab.engine.blas import load_blas
from mlplab.errors import DivergenceError
from mlplab.lab.execution.training import build_estimator
from mlplab.lab.spec.job import Job

#: The number of training rows of a measurement: enough steps for a stable time in a short time.
_ROWS = 2000


def seconds_per_epoch(jobs: Sequence[Job], dataset: Dataset, split: Split) -> list[float]:
    """Return the seconds per epoch of each job on one core, measured once for each kind of network."""
    share = min(1.0, _ROWS / len(split.train))
    train, validation = (rows[: max(1, round(share * len(rows)))] for rows in (split.train, split.validation))
    data, measured = _with_every_class(dataset, train), {}
    kinds = []
    for job in jobs:
        longest = job.trials[-1]
        kind = repr(
            [longest[name] for name in ("hidden_layer_sizes", "activation", "solver", "momentum", "batch_size")]
        )
        kinds.append(kind)
        if kind not in measured:
            estimator = build_estimator(job, dataset).set_params(max_iter=3)
            load_blas()  # the limit below applies only to libraries that are loaded
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    estimator.fit(*data, X_val=dataset.X[validation], y_val=dataset.y[validation])
                    measured[kind] = float(np.median(estimator.history_["seconds"])) / share
                except DivergenceError:
                    measured[kind] = 0.0
    return [measured[kind] for kind in kinds]


def _with_every_class(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with made-up labels of every class, which a few rows might lack; only the time matters."""
    return dataset.X[rows], np.resize(dataset.classes, len(rows))


def makespan(durations: Sequence[float], jobs: int) -> float:
    """Return the time until the last of `jobs` processes ends, if each takes the next job as soon as it is free."""
    ends = [0.0] * jobs
    for duration in durations:
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)
