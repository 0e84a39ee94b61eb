"""Evaluation of fitted estimators, and calibration of their probabilities."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from sklearn.base import is_classifier

from mlplab.evaluation.classification import Evaluation, RowLoss, evaluate_classifier
from mlplab.evaluation.regression import RegressionEvaluation, evaluate_regressor

__all__ = ["Evaluation", "RegressionEvaluation", "RowLoss", "evaluate", "evaluate_classifier", "evaluate_regressor"]


def evaluate(model: Any, X: npt.ArrayLike, y: npt.ArrayLike) -> Evaluation | RegressionEvaluation:
    """Compare the predictions of a fitted estimator with the true targets.

    Args:
        model: an estimator of mlplab, or any of scikit-learn's that has `predict` and, for classes, `predict_proba`.
        X: (rows, features). y: (rows,); for a regressor also (rows, outputs).

    Raises:
        DataError: for X and y of different lengths, labels that the model does not know, or several labels a row.
    """
    return evaluate_classifier(model, X, y) if is_classifier(model) else evaluate_regressor(model, X, y)
