"""The regressor: the same network, for values instead of classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.metaestimators import available_if

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.estimators.base import NeuralNetwork, in_range
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.sklearn_callbacks import with_callbacks
from mlplab.training.batches import Rows
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.history import Epoch
from mlplab.training.settings import RegressorSettings, layer_widths
from mlplab.training.tasks import Values


class NeuralNetworkRegressor(RegressorMixin, NeuralNetwork, RegressorSettings):
    """Predict values with a fully-connected network, written from scratch.

    Its parameters and attributes are those of `NeuralNetworkClassifier`, without `label_smoothing` and `class_weight`,
    and mean the same; they have the names, defaults and meanings of scikit-learn's `MLPRegressor`. The one of its own:

    Parameters:
        loss: "squared_error" (half the squared error, summed over the outputs), "poisson" (half the deviance, for y of
            at least 0), or an object of your own (`mlplab.nn.losses.Loss`).

    Attributes:
        one_column_: whether y was (rows,), as predictions then are.

    Scores are R². Scale y to a variance of about 1 for the default learning rate.
    """

    @with_callbacks
    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> Self:
        """Train a network: a new one, or with `warm_start` the one there is.

        Args:
            X: (rows, features), numbers. y: (rows,) or (rows, outputs), numbers.
            sample_weight, X_val, y_val, coef_init, intercept_init, checkpoint: as in `NeuralNetworkClassifier.fit`.
        """
        going_on = self.warm_start and hasattr(self, "_network")
        self._begin(going_on)
        training = self._rows(X, y, sample_weight, reset=not going_on)
        self._fit(
            training,
            self._validation_rows(X_val, y_val),
            coef_init=coef_init,
            intercept_init=intercept_init,
            going_on=going_on,
            checkpoint=checkpoint,
            listeners=self._listeners(X, y, sample_weight),
        )
        return self

    @available_if(NeuralNetwork._has_passes)
    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the rows, going on where the last call stopped: n calls on the same rows are n epochs."""
        if self.early_stopping and X_val is None:
            raise DataError("partial_fit does not support early_stopping=True without X_val and y_val to watch")
        going_on = hasattr(self, "_network")
        self._begin(going_on)
        training = self._rows(X, y, sample_weight, reset=not going_on)
        self._fit_once(training, self._validation_rows(X_val, y_val))
        return self

    def restore(self, left: FittedState, *, one_column: bool) -> None:
        """Put this estimator into the state that a fit had left.

        Args:
            one_column: whether predictions are (rows,), not (rows, outputs).

        Raises:
            DataError: for weights or names that do not fit one another.
        """
        outputs = left.arrays[f"coefs.{len(layer_widths(self.hidden_layer_sizes))}"].shape[1]
        if one_column and outputs > 1:
            raise DataError(f"{outputs} outputs are more than one column")
        self._task, self.one_column_ = Values(outputs), one_column
        self._restore(left)

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the predicted values, (rows,), or (rows, outputs) where y had several columns."""
        return self._shaped(self._outputs(self._check(X), None))

    def _validation_score(self, epoch: Epoch, validation: Rows) -> float:
        predicted = self._outputs(validation.X, validation.numbers)
        if not np.isfinite(predicted).all():
            return float("nan")
        with np.errstate(all="ignore"):  # the squares of values that are about to diverge
            return float(r2_score(validation.y, predicted, sample_weight=validation.weights))

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Rows:
        X, y = self._check_rows(X, y, reset=reset)
        if y.dtype.kind in "US":
            raise DataError("y must be numbers; it is text")
        y = in_range(np.asarray(y, None if np.asarray(y).dtype.kind == "f" else np.float64), self._dtype_for(X), "y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)  # predictions are then (rows,), as scikit-learn's
        y = y.astype(self._dtype_for(X), copy=False)
        if reset:
            self.one_column_ = y.ndim == 1
            self._task = Values(1 if y.ndim == 1 else y.shape[1])
        if self.loss == "poisson" and (y < 0).any():
            raise DataError("loss='poisson' is for y of at least 0")
        y = y.reshape(len(y), -1)
        if y.shape[1] != self._task.outputs:
            raise DataError(f"y must have {self._task.outputs} columns, as in the fit before; it has {y.shape[1]}")
        return self._training_rows(X, y, sample_weight)

    def _validation_rows(self, X_val: Any, y_val: Any) -> Rows | None:
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise DataError("X_val and y_val belong together; only one of them was given")
        return self._rows(X_val, y_val, None, reset=False)

    def _describe_targets(self) -> str:
        return "1 value" if self._task.outputs == 1 else f"{self._task.outputs:,} values"

    def _shaped(self, values: Array) -> Array:
        return values[:, 0] if self.one_column_ else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
