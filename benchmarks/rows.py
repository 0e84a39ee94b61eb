"""What every contender is given: the same float32 rows, read from the same file, and the same matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.cases import PREDICTED_ROWS, ROWS, TABLE

Array = npt.NDArray[np.generic]


def write_rows(folder: Path) -> None:
    """Write X (rows, features) float32 and y (rows,) int64 of "mnist", "table" and "unseen", images to predict."""
    from mlplab import load_dataset

    mnist = load_dataset("mnist")
    X, y = mnist.X * np.float32(mnist.scale), mnist.y.astype(np.int64)
    _write(folder, "mnist", X[: ROWS["mnist"]], y[: ROWS["mnist"]])
    _write(folder, "unseen", X[-PREDICTED_ROWS:], y[-PREDICTED_ROWS:])
    _write(folder, "table", *_make_table(ROWS["table"]))


def read_rows(folder: Path, name: str) -> tuple[Array, Array]:
    """Return X and y."""
    return np.load(folder / f"{name}-X.npy"), np.load(folder / f"{name}-y.npy")


def random_matrices(m: int, k: int, n: int) -> tuple[Array, Array]:
    """Return float32 matrices (m, k) and (k, n); constant ones would take less power, and may run faster for it."""
    rng = np.random.default_rng(0)
    return rng.random((m, k), np.float32), rng.random((k, n), np.float32)


def _make_table(rows: int) -> tuple[Array, Array]:
    """Return a table whose classes are clouds around a centre each."""
    features, _, classes = TABLE
    rng = np.random.default_rng(0)
    y = np.arange(rows) % classes
    X = rng.normal(size=(classes, features))[y] + rng.normal(size=(rows, features))
    return X.astype(np.float32), y


def _write(folder: Path, name: str, X: Array, y: Array) -> None:
    np.save(folder / f"{name}-X.npy", X)
    np.save(folder / f"{name}-y.npy", y)
