"""Calibration of probabilities: reliability diagrams and temperature scaling. Source: Guo et al. 2017."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.estimators.validation import check_features
from mlplab.nn.losses import LOSSES

#: The range of temperatures that is searched. Where all rows are classified correctly, the loss is lowest at 0, and the
#: lower end of the range is used.
_COLDEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Calibration:
    """The mean confidence of predictions and their accuracy, in bins of equal width.

    Attributes:
        edges: of the bins, from 0 to 1: (bins + 1,).
        rows: in each bin, (bins,).
        confidence, accuracy: the mean probability of the predicted class, and the share of correct predictions, (bins,)
            each; NaN for a bin without rows.
        error: the expected calibration error, `Σ rows·|accuracy - confidence| / Σ rows`. Guo et al. 2017, equation 3.
    """

    edges: Array
    rows: Array
    confidence: Array
    accuracy: Array
    error: float


def calibration_of(confidence: npt.ArrayLike, right: npt.ArrayLike, bins: int = 15) -> Calibration:
    """Return the calibration of predictions.

    Args:
        confidence: the probability of the predicted class, (rows,).
        right: whether the predicted class is the true one, (rows,).
    """
    if bins < 1:
        raise SettingError(f"bins must be a whole number of at least 1; got {bins}")
    confidences, correct = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, confidences) - 1, 0, bins - 1)  # (low, high]
    rows = np.bincount(bin_of, minlength=bins)
    sum_confidence, sum_correct = (np.bincount(bin_of, weights, minlength=bins) for weights in (confidences, correct))
    error = float(np.abs(sum_confidence - sum_correct).sum() / max(1, len(confidences)))
    with np.errstate(invalid="ignore"):
        return Calibration(edges, rows, sum_confidence / rows, sum_correct / rows, error)


@dataclass(frozen=True)
class TemperatureScaling:
    """The result of `scale_temperature`.

    Attributes:
        temperature: T; above 1 the network was overconfident, below 1 underconfident.
        model: a copy of the classifier with the probabilities of z/T. It predicts the same classes.
        loss_before, loss_after: mean log loss of the rows in nats.
        error_before, error_after: their expected calibration error.
    """

    temperature: float
    model: NeuralNetworkClassifier
    loss_before: float
    loss_after: float
    error_before: float
    error_after: float


def scale_temperature(model: NeuralNetworkClassifier, X: npt.ArrayLike, y: npt.ArrayLike) -> TemperatureScaling:
    """Divide the logits of a fitted classifier by the temperature that minimizes the log loss of held-out rows.

    Source: Guo et al. 2017, section 4.2. The weights and intercepts of the output layer are divided, in a copy, so that
    saving and exporting work unchanged.

    Args:
        X: (rows, features), y: (rows,): neither training rows, whose predictions are better than those of other rows,
            nor the rows that the result will be evaluated on.

    Raises:
        SettingError: for a model whose outputs are neither softmax nor sigmoids.
        DataError: for labels that are unknown to the model.
    """
    rows = check_features(model, X)
    if model.out_activation_ not in ("softmax", "logistic"):
        raise SettingError(f"temperature scaling needs softmax or logistic outputs; got {model.out_activation_!r}")
    targets = model.encode_targets(np.asarray(y))
    if len(targets) != rows.shape[0]:
        raise DataError(f"X has {rows.shape[0]} rows and y has {len(targets)}; they must agree")
    table = model.network_.task.table(smooth=False)
    T = np.asarray(targets if table is None else table[targets], np.float64)[None]
    z = np.asarray(model.network_.logits(rows), np.float64)[None]
    loss = LOSSES["cross_entropy"][model.out_activation_]

    def mean_loss(logarithm: float) -> float:
        return float(loss.value_and_delta(np, z / exp(logarithm), T).mean())

    found = minimize_scalar(mean_loss, bounds=(log(_COLDEST), log(_HOTTEST)), method="bounded", options={"xatol": 1e-8})
    temperature = exp(found.x)
    scaled = deepcopy(model)
    scaled.coefs_[-1][...] /= temperature
    scaled.intercepts_[-1][...] /= temperature
    scaled.keep_weights()
    errors = [calibration_of(*_confidence(one, rows, targets)).error for one in (model, scaled)]
    return TemperatureScaling(temperature, scaled, mean_loss(0.0), float(found.fun), *errors)


def _confidence(model: NeuralNetworkClassifier, X: Array, targets: Array) -> tuple[Array, Array]:
    """Return the probability of every predicted class, or of every predicted label, and whether it is correct."""
    p = model.predict_proba_rows(X)
    if model.multilabel_:
        return np.maximum(p, 1 - p).ravel(), ((p > 0.5) == (targets > 0)).ravel()
    return p.max(axis=1), p.argmax(axis=1) == targets
