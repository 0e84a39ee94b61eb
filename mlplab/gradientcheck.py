"""The public gradient check: of an estimator's settings, on a user's rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlplab.classifier import NeuralNetworkClassifier
from mlplab.engine import NumpyEngine
from mlplab.errors import DataError
from mlplab.nn.gradcheck import GradientCheck, check_gradients
from mlplab.randomness import seed_from
from mlplab.training.build import build_loss, build_network, class_targets
from mlplab.training.settings import SETTINGS, check_settings


def gradient_check(
    estimator: NeuralNetworkClassifier,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    sample: int | None = 200,
    tolerance: float = 1e-6,
) -> GradientCheck:
    """Compare back-propagation with finite differences for an estimator's settings, on at most 100 of the rows.

    It prints both numbers of the worst parameter and returns them. The estimator need not be fitted and is not
    changed; everything is computed in float64, at the start weights.

    Args:
        X: (rows, features). y: (rows,).
        sample: how many parameters to compare; None compares all.
        tolerance: the largest relative error that passes.
    """
    check_settings({name: getattr(estimator, name) for name in SETTINGS})
    X, y = np.asarray(X)[:100] * estimator.input_scale, np.asarray(y)[:100]
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"the first {len(y)} rows hold one class only, {classes[0]!r}: shuffle them")
    network = build_network(
        estimator, X.shape[1], len(classes), NumpyEngine(np.float64), [seed_from(estimator.random_state)]
    )
    outcome = check_gradients(
        network,
        build_loss(estimator, len(classes)),
        X,
        class_targets(len(classes))[codes],
        weight_decay=estimator.weight_decay + estimator.alpha / len(X),
        sample=sample,
        tolerance=tolerance,
    )
    print(outcome)
    return outcome
