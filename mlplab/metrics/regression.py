"""The values of single rows that metrics of regressors are the means of. Shapes: `mlplab.metrics.base.Metric`."""

from __future__ import annotations

import numpy as np

from mlplab.engine.base import Array


# error = (t - p)², the mean over the outputs
def squared_errors(true: Array, predicted: Array) -> Array:
    """Return each row's squared difference between truth and prediction, the mean over the outputs, (rows,)."""
    squares: Array = np.square(np.subtract(true, predicted, dtype=np.float64))
    return squares if squares.ndim == 1 else squares.mean(axis=1)
