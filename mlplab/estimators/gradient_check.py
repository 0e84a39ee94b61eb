"""The public gradient check, for an estimator's settings and a user's rows."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_X_y

from mlplab.errors import DataError, SettingError
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.nn.finite_differences import GradientCheck, check_gradients
from mlplab.training.build import build_engine, build_loss, build_network
from mlplab.training.settings import SETTINGS, check_settings
from mlplab.training.tasks import classify
from mlplab.utils.randomness import seed_from


def gradient_check(
    estimator: NeuralNetworkClassifier,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    sample: int | None = 200,
    tolerance: float = 1e-6,
) -> GradientCheck:
    """Compare back-propagation with finite differences for an estimator's settings, on at most 100 of the rows.

    The derivatives of the parameter with the largest error are printed and returned. The estimator need not be fitted
    and is not changed; everything is computed in float64, at the initial weights.

    Args:
        X: (rows, features). y: (rows,).
        sample: the number of parameters to compare; None compares all.
        tolerance: the largest relative error that passes.
    """
    check_settings({name: getattr(estimator, name) for name in SETTINGS})
    if sample is not None and sample < 1:
        raise SettingError(f"sample must be None or at least 1; got {sample!r}")
    rows, labels = check_X_y(X, y)
    rows, labels = rows[:100] * estimator.input_scale, labels[:100]
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"the first {len(labels)} rows contain one class only, {classes.item(0)!r}: shuffle them")
    seed = seed_from(deepcopy(estimator.random_state))  # drawing from the estimator's own generator would change it
    task = classify(len(classes), estimator.label_smoothing)
    table = task.table(smooth=True)
    assert table is not None
    engine = build_engine(estimator, np.float64)
    network = build_network(estimator, rows.shape[1], task.outputs, engine, [seed])
    outcome = check_gradients(
        network,
        build_loss(estimator, task),
        rows,
        table[codes],
        weight_decay=estimator.weight_decay + estimator.alpha / len(rows),
        l1=estimator.l1,
        sample=sample,
        tolerance=tolerance,
    )
    print(outcome)
    return outcome
