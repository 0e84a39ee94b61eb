"""What a contender's process is asked to do: run one timed round."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.cases import PREDICTED_ROWS, REHEARSAL, TABLE, Case
from benchmarks.contenders import Contender
from benchmarks.rows import read_rows

#: Matrix products whose rate is taken for the machine's: (rows, inner, columns), large enough to reach it.
_PRODUCTS = ((2000, 2000, 2000), (1000, 2000, 1000))
_REPEATS = 3


def train(contender: Contender, case: Case, folder: Path) -> float:
    """Train for one epoch untimed and for `case.epochs` timed; return the milliseconds of a step."""
    return 1000 * _training(contender, case, folder)() / case.steps


def predict(contender: Contender, sizes: tuple[int, ...], folder: Path) -> float:
    """Return images a second."""
    return PREDICTED_ROWS / _fastest(_predicting(contender, sizes, folder))


def multiply(contender: Contender) -> float:
    """Return the best rate of the contender's own library in products of float32 matrices, in GFLOP/s."""
    return max(2e-9 * m * k * n / _fastest(_multiplying(contender, m, k, n)) for m, k, n in _PRODUCTS)


def rehearse(contender: Contender, folder: Path) -> list[dict[str, Any]]:
    """Do a little of all that will be asked, to see that it works; return the libraries it took."""
    if "train" in contender.tasks:
        train(contender, REHEARSAL, folder)
    if "predict" in contender.tasks:
        X, _ = read_rows(folder, "table")
        import_module(contender.module).predicting(TABLE, X)()
    return _libraries()


def peak_memory() -> float:
    """Return the largest memory that this process has had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


# What is prepared is kept for the rounds to come, and let go for the next case.
@lru_cache(maxsize=1)
def _training(contender: Contender, case: Case, folder: Path) -> Callable[[], float]:
    prepared: Callable[[], float] = import_module(contender.module).training(case, *read_rows(folder, case.data))
    return prepared


@lru_cache(maxsize=1)
def _predicting(contender: Contender, sizes: tuple[int, ...], folder: Path) -> Callable[[], object]:
    X, _ = read_rows(folder, "unseen")
    prepared: Callable[[], object] = import_module(contender.module).predicting(sizes, X)
    return prepared


@lru_cache(maxsize=len(_PRODUCTS))
def _multiplying(contender: Contender, m: int, k: int, n: int) -> Callable[[], object]:
    prepared: Callable[[], object] = import_module(contender.module).product(m, k, n)
    return prepared


def _fastest(do: Callable[[], object]) -> float:
    """Return the seconds of the fastest of a few times, after one that is not timed."""
    do()
    times = []
    for _ in range(_REPEATS):
        started = perf_counter()
        do()
        times.append(perf_counter() - started)
    return min(times)


def _libraries() -> list[dict[str, Any]]:
    """Return the libraries with thread pools in this process, without where they lie."""
    from threadpoolctl import threadpool_info

    told = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    return [{"file": Path(info["filepath"]).name} | {key: info.get(key) for key in told} for info in threadpool_info()]
