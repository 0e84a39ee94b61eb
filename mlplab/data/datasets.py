"""Data sets by name or from a user's files.

To add a built-in data set, add a line to `names.DATASETS` and one to `_BUILT_IN`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlplab.data import mnist
from mlplab.data.files import Table, find_parts, is_frame, read_table
from mlplab.data.names import DATASETS
from mlplab.engine.base import Array
from mlplab.errors import DataError, nearest, shorten

#: Training, validation and test rows.
_PARTS = 3


@dataclass(frozen=True)
class Dataset:
    """A data set for classification.

    Attributes:
        name: "mnist", or a file's name.
        X: (rows, features), numbers of any type, C-ordered; images are uint8, and .npy files stay on disk.
        y: (rows,), labels of any type.
        scale: the factor by which networks multiply X (their `input_scale`); it scales pixels to 0..1.
        image_shape: (height, width) if the rows are images, else None.
        feature_names: the columns of a table, or None.
        test_rows: number of official test rows, which are the last rows; None if there are none.
    """

    name: str
    X: Array
    y: Array
    scale: float = 1.0
    image_shape: tuple[int, int] | None = None
    feature_names: tuple[str, ...] | None = None
    test_rows: int | None = None

    @cached_property
    def classes(self) -> Array:
        """The labels, sorted."""
        return np.unique(self.y)

    def cautions(self) -> list[str]:
        """Return warnings about features of very different scales and about classes with too few rows."""
        return [caution for caution in (self._scales(), self._rare_classes()) if caution]

    def _rare_classes(self) -> str | None:
        labels, counts = np.unique(self.y, return_counts=True)
        rare = labels[counts < _PARTS].tolist()
        if not rare:
            return None
        named = ", ".join(map(shorten, rare[:5])) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
        return (
            f"{len(rare)} of the {len(labels)} classes of {self.name} {'has' if len(rare) == 1 else 'have'} fewer than "
            f"{_PARTS} rows, too few for training, validation and test: {named}"
        )

    def _scales(self) -> str | None:
        if self.image_shape:
            return None
        spread = np.asarray(self.X[:10_000], np.float64).std(axis=0)
        spread = spread[spread > 0]
        ratio = spread.max() / spread.min() if len(spread) else 1.0
        if ratio < 100:
            return None
        return (
            f"the features of {self.name} differ in scale by a factor of {ratio:,.0f}; standardize them (subtract the "
            "mean and divide by the standard deviation) for much better results"
        )

    def __repr__(self) -> str:
        rows, features = self.X.shape
        shape = f"{rows:,} rows × {features:,} features ({self.X.dtype})"
        return f"<Dataset {self.name}: {shape}, {len(self.classes)} classes>"


def with_names(X: Array, names: tuple[str, ...] | None) -> Any:
    """Return X as a pandas data frame if its columns have names, which estimators check; otherwise unchanged."""
    if names is None:
        return X
    import pandas

    return pandas.DataFrame(X, columns=list(names))


def _load_mnist() -> Dataset:
    X, y = mnist.load_mnist()
    return Dataset("mnist", X, y, scale=1 / 255, image_shape=(28, 28), test_rows=mnist.TEST)


def _load_digits() -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset("digits", bunch.data.astype(np.uint8), bunch.target, scale=1 / 16, image_shape=(8, 8))


_BUILT_IN: dict[str, Callable[[], Dataset]] = {"mnist": _load_mnist, "digits": _load_digits}


@dataclass(frozen=True)
class Source:
    """The source of a data set.

    Attributes:
        name: a built-in name or a path.
        target: the target column, or the file with the labels; see `load_dataset`.
    """

    name: str
    target: str | None = None

    def fingerprint(self) -> str:
        """Return a hash of the content without loading it into arrays.

        Raises:
            DataError: for a missing file.
        """
        if self.name in _BUILT_IN:
            return f"mnist-{mnist.SHA256}" if self.name == "mnist" else self.name
        parts = find_parts(Path(self.name), self.target)
        # the name of the target column counts; the path of a label file does not, only its content
        digest = hashlib.sha256(repr(self.target if len(parts) == 1 else None).encode())
        for path in parts:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    @property
    def is_frame(self) -> bool:
        """Whether the source is a table with named columns; its rows are then not images."""
        return is_frame(Path(self.name))

    def load(self) -> Dataset:
        """Load the data set; see `load_dataset`."""
        return load_dataset(self.name, target=self.target)


def load_dataset(name: str | Path, *, target: str | Path | None = None) -> Dataset:
    """Load a built-in data set or a user's file.

    Args:
        name: "mnist", "digits", or a path: a table (.csv, .csv.gz, .parquet) with a target column, an .npz file with
            X and y, an .npy or IDX file (gzip or not) with its labels beside it, or a folder with such a pair or with
            the four files of an MNIST-like set.
        target: the target column of a table, or the file with the labels if it cannot be found by its name.

    Raises:
        DataError: for data that cannot be used. Nothing is ever unpickled.
    """
    if str(name) in _BUILT_IN:
        if target is not None:
            raise DataError(f"the built-in data set {str(name)!r} has its own target; got target={str(target)!r}")
        return _BUILT_IN[str(name)]()
    path = Path(name)
    if not path.exists():
        hint = nearest(name, DATASETS) if path.suffix == "" else ""
        raise DataError(f"{name}: no such file, folder or built-in data set{hint}")
    table = read_table(path, None if target is None else str(target), needs_target=True)
    return _from_table(path, table)


def _from_table(path: Path, table: Table) -> Dataset:
    X, y = table.X, table.y
    assert y is not None  # needs_target above
    if len(np.unique(y)) < 2:
        raise DataError(f"{path}: the target must have at least two classes; it has one class only, {y.item(0)!r}")
    is_image = table.image_shape is not None and X.dtype == np.uint8
    scale = 1 / 255 if is_image else 1.0
    return Dataset(path.name, X, y, scale, table.image_shape, table.feature_names, table.test_rows)
