"""How rows are divided into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from mlplab.data.datasets import Dataset
from mlplab.data.names import SPLITS
from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError, nearest, one_of
from mlplab.utils.randomness import SPLIT, generator


@dataclass(frozen=True)
class Split:
    """Row numbers: `train` to learn from, `validation` to choose by, `test` for the chosen network alone."""

    train: Array
    validation: Array
    test: Array


def split_rows(dataset: Dataset, name: str, seed: int = 0, samples: int | None = None) -> Split:
    """Divide the rows of a data set.

    Args:
        name: "exercise6": 10,000 rows for test and 20 % of the rest for validation, by the notebook's two calls with
            random_state=42; "official": the data set's own test rows, and a sixth of the others for validation;
            "random": a fifth of the rows for test, and a fifth of the rest for validation.
        seed: what "official" and "random" draw the validation rows with; the test rows are always the same.
        samples: how many rows training and validation share, the first ones; None takes all.

    Raises:
        SettingError: for a name that is none of these.
        DataError: for a data set that the split does not suit.
    """
    _check_classes(dataset.y)
    pool, test = _set_test_apart(dataset, name)
    pool = _first(pool, samples)
    if name == "exercise6":
        train, validation = _train_test_split(pool, test_size=0.2, shuffle=True, random_state=42)
    else:
        train, validation = _divide(pool, dataset.y, 1 / 6 if name == "official" else 0.2, seed)
    return Split(train, validation, test)


def _set_test_apart(dataset: Dataset, name: str) -> tuple[Array, Array]:
    """Return the rows to train and validate on, and those for test."""
    rows = np.arange(len(dataset.y))
    if name == "exercise6":
        if len(rows) <= 10_000 + 4:
            raise DataError(f"split 'exercise6' sets 10,000 rows aside for test; {dataset.name} has {len(rows):,}")
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
        raise SettingError(f"samples must be at least 3 rows, to share between training and validation; got {samples}")
    if samples is not None and samples > len(pool):
        raise SettingError(f"samples must be at most the {len(pool):,} rows outside the test set; got {samples:,}")
    return pool[:samples]


def hold_out(dataset: Dataset, fraction: float, seed: int = 0, samples: int | None = None) -> tuple[Array, Array]:
    """Return rows to train one network on and rows to validate it on; official test rows are in neither.

    Args:
        fraction: the share to validate on. seed, samples: as in `split_rows`.
    """
    _check_classes(dataset.y)
    pool = np.arange(len(dataset.y) - (dataset.test_rows or 0))
    return _divide(_first(pool, samples), dataset.y, fraction, seed)


def _check_classes(y: Array) -> None:
    if y.dtype.kind == "f" and (fractional := y[y != np.floor(y)]).size:
        raise DataError(f"the target holds measurements such as {fractional.item(0)!r}, not classes")


def _divide(rows: Array, y: Array, fraction: float, seed: int) -> tuple[Array, Array]:
    """Shuffle the rows and set a part aside, stratified unless a class is too rare for that.

    The only row of a class stays where it can be learnt from.
    """
    if len(rows) < 3:
        raise DataError(f"{len(rows)} rows are too few to be divided into training, validation and test")
    _, codes, counts = np.unique(y[rows], return_inverse=True, return_counts=True)
    count = ceil(fraction * len(rows))
    single = counts[codes] == 1
    if (~single).sum() <= count:  # hardly any class has two rows: there is no better way than chance
        single[:] = False
    rest, codes = rows[~single], codes[~single]
    counts = np.unique(codes, return_counts=True)[1]
    enough = counts.min() >= 2 and min(count, len(rest) - count) >= len(counts)
    aside = int(generator(seed, SPLIT).integers(2**31 - 1))
    kept, set_aside = _train_test_split(rest, test_size=count, stratify=codes if enough else None, random_state=aside)
    return np.concatenate([kept, rows[single]]), set_aside


def _train_test_split(rows: Array, **options: Any) -> tuple[Array, Array]:
    from sklearn.model_selection import train_test_split  # a second to import: not before it is needed

    first, second = train_test_split(rows, **options)
    return first, second
