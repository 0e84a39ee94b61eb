"""Split rows into training, validation and test sets."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from mlplab.data.datasets import Dataset
from mlplab.data.names import SPLITS
from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError, nearest, one_of, shorten
from mlplab.utils.randomness import SPLIT, generator


@dataclass(frozen=True)
class Split:
    """Row numbers: `train` for training, `validation` for model selection, `test` for the final evaluation."""

    train: Array
    validation: Array
    test: Array


def split_rows(dataset: Dataset, name: str, seed: int = 0, samples: int | None = None) -> Split:
    """Split the rows of a data set.

    Args:
        dataset: the data set.
        name: "exercise6" uses 10,000 rows for test and 20 % of the rest for validation, drawn by the notebook's two
            calls with random_state=42; "official" uses the data set's own test rows, and a sixth of the others for
            validation; "random" uses a fifth of the rows for test, and a fifth of the rest for validation.
        seed: the seed for the validation rows of "official" and "random"; the test rows are always the same.
        samples: use only the first `samples` rows for training and validation; None uses all.

    Raises:
        SettingError: for an unknown name, or too few or too many samples.
        DataError: for a data set that cannot be split in this way, or a validation class without training rows.
    """
    _check_classes(dataset.y)
    pool, test = _set_test_apart(dataset, name)
    pool = _first(pool, samples)
    if name == "exercise6":
        train, validation = _train_test_split(pool, test_size=0.2, shuffle=True, random_state=42)
    else:
        train, validation = _divide(pool, dataset.y, 1 / 6 if name == "official" else 0.2, seed)
    _check_validation_classes(dataset, train, validation, samples)
    return Split(train, validation, test)


def _set_test_apart(dataset: Dataset, name: str) -> tuple[Array, Array]:
    """Return the rows for training and validation, and the test rows."""
    rows = np.arange(len(dataset.y))
    if name == "exercise6":
        if len(rows) <= 10_000 + 4:
            raise DataError(f"split 'exercise6' needs more than 10,000 rows; {dataset.name} has {len(rows):,}")
        return _train_test_split(rows, test_size=10_000, shuffle=True, random_state=42)
    if name == "official":
        if dataset.test_rows is None:
            raise DataError(f"{dataset.name} has no official test rows; use split 'random'")
        return rows[: -dataset.test_rows], rows[-dataset.test_rows :]
    if name == "random":
        return _divide(rows, dataset.y, 0.2, 0)
    raise SettingError(f"split must be {one_of(SPLITS)}; got {name!r}{nearest(name, SPLITS)}")


def _first(pool: Array, samples: int | None) -> Array:
    if samples is not None and samples < 3:
        raise SettingError(f"samples must be at least 3, to have rows for training and validation; got {samples}")
    if samples is not None and samples > len(pool):
        raise SettingError(f"samples must be at most {len(pool):,}, the rows outside the test set; got {samples:,}")
    return pool[:samples]


def hold_out(dataset: Dataset, fraction: float, seed: int = 0, samples: int | None = None) -> tuple[Array, Array]:
    """Return training and validation rows for a single network, without official test rows.

    Args:
        dataset, seed, samples: as in `split_rows`.
        fraction: the fraction of validation rows.

    Raises:
        SettingError, DataError: as in `split_rows`.
    """
    _check_classes(dataset.y)
    pool = np.arange(len(dataset.y) - (dataset.test_rows or 0))
    train, validation = _divide(_first(pool, samples), dataset.y, fraction, seed)
    _check_validation_classes(dataset, train, validation, samples)
    return train, validation


def _check_classes(y: Array) -> None:
    if y.dtype.kind == "f" and (fractional := y[y != np.floor(y)]).size:
        raise DataError(f"the target must hold classes; it holds measurements such as {fractional.item(0)!r}")


def _check_validation_classes(dataset: Dataset, train: Array, validation: Array, samples: int | None) -> None:
    """Raise an error if a class of the validation rows has no training row, because no network could learn it."""
    unseen = np.setdiff1d(dataset.y[validation], dataset.y[train])
    if not unseen.size:
        return
    what = f"no training row has the class {shorten(unseen.item(0))}, which is among the validation rows"
    if samples is None:
        raise DataError(f"{dataset.name}: {what}; add rows of this class or remove it")
    more = min(max(10 * len(dataset.classes), 2 * samples), len(dataset.y))
    raise SettingError(f"samples={samples} is too small: {what}; use more samples, for example {more:,}")


def _divide(rows: Array, y: Array, fraction: float, seed: int) -> tuple[Array, Array]:
    """Shuffle the rows and split off a fraction of them, stratified unless a class has too few rows.

    A row that is the only one of its class is kept for training.
    """
    if len(rows) < 3:
        raise DataError(f"{len(rows)} rows are too few to divide into training, validation and test rows")
    _, codes, counts = np.unique(y[rows], return_inverse=True, return_counts=True)
    count = ceil(fraction * len(rows))
    single = counts[codes] == 1
    if (~single).sum() <= count:  # too few rows of the other classes: split all rows
        single[:] = False
    rest, codes = rows[~single], codes[~single]
    counts = np.unique(codes, return_counts=True)[1]
    enough = counts.min() >= 2 and min(count, len(rest) - count) >= len(counts)
    aside = int(generator(seed, SPLIT).integers(2**31 - 1))
    kept, set_aside = _train_test_split(rest, test_size=count, stratify=codes if enough else None, random_state=aside)
    return np.concatenate([kept, rows[single]]), set_aside


def _train_test_split(rows: Array, **options: Any) -> tuple[Array, Array]:
    from sklearn.model_selection import train_test_split  # takes a second to import

    first, second = train_test_split(rows, **options)
    return first, second
