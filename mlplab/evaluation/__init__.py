"""Evaluation of fitted estimators, and calibration of their probabilities."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from sklearn.base import is_classifier

from mlplab.evaluation.classification import Evaluation, RowLoss, evaluate_classifier
from mlplab.evaluation.regression import RegressionEvaluation, evaluate_regressor

__all__ = ["Evaluation", "RegressionEvaluation", "RowLoss", "evaluate", "evaluate_classifier", "evaluate_regressor"]


def evaluate(model: Any, X: npt.ArrayLike, y: npt.ArrayLike) -> Evaluation | RegressionEvaluation:
    """Evaluate a fitted estimator on rows whose classes or targets are known.

    Args:
        model: an estimator of mlplab, or one of scikit-learn with `predict` and, for classes, `predict_proba`.
        X: (rows, features). y: (rows,); for a regressor also (rows, outputs).

    Raises:
        DataError: for X and y that do not match, labels that are unknown to the model, or several labels per row.
    """
    return evaluate_classifier(model, X, y) if is_classifier(model) else evaluate_regressor(model, X, y)
