"""Checks of what users pass to an estimator: X, y and the weights of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.training.batches import Rows
from mlplab.training.build import AnySettings
from mlplab.training.settings import RegressorSettings, Settings
from mlplab.training.trainer import EVALUATION_BATCH

#: Of X: numbers, dense or sparse by rows. C-ordered, because gathering a batch of 200 from the columns of a
#: Fortran-ordered array of 50,000 rows took 66 ms instead of 0.02.
_OF_X: dict[str, Any] = {"accept_sparse": "csr", "dtype": "numeric", "order": "C"}


def as_settings(estimator: Any) -> AnySettings:
    """Return an estimator as the settings that it inherits from."""
    assert isinstance(estimator, Settings | RegressorSettings)
    return estimator


def check_rows(estimator: BaseEstimator, X: npt.ArrayLike, y: npt.ArrayLike, *, reset: bool) -> tuple[Array, Array]:
    """Return X and y as arrays, checked by scikit-learn.

    Args:
        reset: whether X defines the number and the names of the features; otherwise it must have those of before.

    Raises:
        ValueError: for rows that cannot be used.
    """
    checked: tuple[Array, Array] = validate_data(estimator, X, y, reset=reset, multi_output=True, **_OF_X)
    return checked


def check_features(estimator: Any, X: npt.ArrayLike) -> Array:
    """Return X, the rows to predict with a fitted estimator, as an array, checked.

    Raises:
        NotFittedError: before `fit`.
        ValueError: for rows that cannot be used.
    """
    check_is_fitted(estimator)
    checked: Array = validate_data(estimator, X, reset=False, **_OF_X)
    return check_range(checked, estimator.network_.network.engine.dtype)


def set_features(estimator: Any, count: int, names: Sequence[str] | None) -> None:
    """Set the number and the names of the features of an estimator, as scikit-learn's validation does."""
    estimator.n_features_in_ = count
    estimator.__dict__.pop("feature_names_in_", None)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)


def computing_dtype(settings: AnySettings, X: Array) -> np.dtype[Any]:
    """Return the type that a network for X is computed in, float32 or float64."""
    wide = X.dtype.kind == "f" and X.dtype.itemsize >= 8  # a long double is wider still
    return np.dtype(settings.dtype or (np.float64 if wide else np.float32))


def to_rows(settings: AnySettings, X: Array, targets: Array, sample_weight: npt.ArrayLike | None = None) -> Rows:
    """Return checked X and encoded targets as rows to train or to evaluate on.

    Raises:
        ValueError: for weights that are negative or not one for each row.
        DataError: for values of X that are too large.
    """
    dtype = computing_dtype(settings, X)
    weights = (
        None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True)
    )
    return Rows(check_range(X, dtype), targets, settings.input_scale, weights)


def check_range(X: Array, dtype: np.dtype[Any], what: str = "X") -> Array:
    """Return X unchanged, whatever its type.

    Raises:
        DataError: for a value that `dtype` cannot hold.
    """
    largest = np.finfo(dtype).max
    if X.dtype.kind == "f" and X.dtype.itemsize > dtype.itemsize:
        values = np.asarray(X.data) if issparse(X) else X
        for start in range(0, len(values), EVALUATION_BATCH):  # a memory map is read once, part by part
            part = values[start : start + EVALUATION_BATCH]
            if part.max() > largest or part.min() < -largest:
                raise DataError(f"{what} holds values beyond {largest:.2g}, the largest {dtype}: scale them")
    return X
