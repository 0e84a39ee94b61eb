"""Evaluation of a regressor on rows with known targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.metrics import METRICS


@dataclass(frozen=True)
class RegressionEvaluation:
    """The predictions of a regressor and the metrics computed from them; ``print(evaluation)`` shows the metrics.

    Attributes:
        true, predicted: (rows,) or (rows, outputs) each.
        r2: the share of the variance that is explained, the mean over outputs.
        rmse, mae: the root of the mean squared error and the mean absolute error, in units of y.
        mse: the mean squared error, the mean over outputs.
    """

    true: Array
    predicted: Array
    r2: float
    rmse: float
    mae: float
    mse: float

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as plain data, for JSON."""
        return {"rows": len(self.true), "r2": self.r2, "rmse": self.rmse, "mae": self.mae, "mse": self.mse}

    def __str__(self) -> str:
        return f"R² {self.r2:.4f} on {len(self.true):,} rows; RMSE {self.rmse:.6g}, mean absolute error {self.mae:.6g}"


def evaluate_regressor(model: Any, X: npt.ArrayLike, y: npt.ArrayLike) -> RegressionEvaluation:
    """Evaluate a fitted regressor, see `evaluate`."""
    predicted, true = np.asarray(model.predict(X)), np.asarray(y)
    if true.shape != predicted.shape:
        raise DataError(f"the predictions have shape {predicted.shape} and y has {true.shape}; they must agree")
    r2, rmse, mae = (
        float(score(true, predicted)) for score in (r2_score, root_mean_squared_error, mean_absolute_error)
    )
    return RegressionEvaluation(true, predicted, r2, rmse, mae, METRICS["mse"].value(true, predicted))
