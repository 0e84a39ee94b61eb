"""The regressor: the same network with numerical outputs."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.metaestimators import available_if

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.estimators.base import NeuralNetwork, has_passes
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.validation import check_features, check_range, computing_dtype
from mlplab.training.batches import Rows
from mlplab.training.history import Epoch
from mlplab.training.settings import RegressorSettings, layer_widths
from mlplab.training.tasks import Values


class NeuralNetworkRegressor(RegressorMixin, NeuralNetwork, RegressorSettings):
    """Predict values with a fully connected network.

    The parameters and attributes are those of `NeuralNetworkClassifier`, without `label_smoothing` and `class_weight`;
    they have the names, defaults and meanings of scikit-learn's `MLPRegressor`. These differ:

    Parameters:
        loss: "squared_error" (half the squared error, summed over the outputs), "poisson" (half the deviance; y must
            be at least 0), or an object of your own (`mlplab.nn.losses.Loss`).

    Attributes:
        one_column_: whether y was (rows,); predictions then have this shape too.

    Scores are R². Scale y to a variance of about 1 for the default learning rate.
    """

    @available_if(has_passes)
    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on the rows, continuing from the last call: n calls with the same rows are n epochs.

        The arguments are those of `fit`; with `early_stopping`, see `NeuralNetworkClassifier.partial_fit`.
        """
        self._partial_fit(X, y, sample_weight, X_val, y_val)
        return self

    def restore(self, left: FittedState, *, one_column: bool) -> None:
        """Restore the state that a fit produced.

        Args:
            one_column: whether predictions are (rows,) instead of (rows, outputs).

        Raises:
            DataError: for weights or names that do not fit together.
        """
        outputs = left.arrays[f"coefs.{len(layer_widths(self.hidden_layer_sizes))}"].shape[1]
        if one_column and outputs > 1:
            raise DataError(f"a network with {outputs} outputs does not predict a single column")
        self._task, self.one_column_ = Values(outputs), one_column
        self._restore(left)

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the predicted values, (rows,), or (rows, outputs) if y had several columns."""
        X = check_features(self, X)
        values = self.network_.outputs(X)
        return values[:, 0] if self.one_column_ else values

    def _validation_score(self, epoch: Epoch, validation: Rows) -> float:
        predicted = self.network_.outputs(validation.X, validation.numbers)
        if not np.isfinite(predicted).all():
            return float("nan")
        with np.errstate(all="ignore"):  # squares of diverging values may overflow
            return float(r2_score(validation.y, predicted, sample_weight=validation.weights))

    def _targets(
        self, X: Array, y: Array, what: str, *, reset: bool = False, classes: npt.ArrayLike | None = None
    ) -> Array:
        if y.dtype.kind in "US":
            raise DataError("y must be numbers; got text")
        dtype = computing_dtype(self, X)
        y = check_range(np.asarray(y, None if np.asarray(y).dtype.kind == "f" else np.float64), dtype, "y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)  # predictions are then (rows,), as in scikit-learn
        y = y.astype(dtype, copy=False)
        if reset:
            self.one_column_ = y.ndim == 1
            self._task = Values(1 if y.ndim == 1 else y.shape[1])
        if self.loss == "poisson" and (y < 0).any():
            raise DataError("loss='poisson' needs y to be at least 0")
        y = y.reshape(len(y), -1)
        if y.shape[1] != self._task.outputs:
            raise DataError(f"y must have {self._task.outputs} columns, as in the previous fit; got {y.shape[1]}")
        return y

    def _describe_targets(self) -> str:
        return "1 value" if self._task.outputs == 1 else f"{self._task.outputs:,} values"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
