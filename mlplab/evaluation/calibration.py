"""How far probabilities can be believed: reliability, and the temperature that mends them. Source: Guo et al. 2017."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.nn.losses import LOSSES

#: The temperatures that are looked at. Rows that are all right have their lowest loss at 0: the least is used then.
_COLDEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Calibration:
    """How sure the predictions were, and how often they were right, in bins of equal width.

    Attributes:
        edges: of the bins, from 0 to 1: (bins + 1,).
        rows: in each bin, (bins,).
        confidence, accuracy: their mean probability of the predicted class, and the share that was right, (bins,) each;
            NaN where there are no rows.
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
        confidence: the probability of the predicted class, (rows,). right: whether it was the true one, (rows,).
    """
    if bins < 1:
        raise SettingError(f"bins must be a whole number of at least 1; got {bins}")
    sure, correct = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, sure) - 1, 0, bins - 1)  # (low, high]
    rows = np.bincount(bin_of, minlength=bins)
    sum_sure, sum_correct = (np.bincount(bin_of, weights, minlength=bins) for weights in (sure, correct))
    error = float(np.abs(sum_sure - sum_correct).sum() / max(1, len(sure)))
    with np.errstate(invalid="ignore"):
        return Calibration(edges, rows, sum_sure / rows, sum_correct / rows, error)


@dataclass(frozen=True)
class TemperatureScaling:
    """What `scale_temperature` found.

    Attributes:
        temperature: T; above 1 the network was too sure, below 1 not sure enough.
        model: a copy of the classifier whose probabilities are those of z/T. It predicts the same classes.
        loss_before, loss_after: mean nats of the rows.
        error_before, error_after: their expected calibration error.
    """

    temperature: float
    model: NeuralNetworkClassifier
    loss_before: float
    loss_after: float
    error_before: float
    error_after: float


def scale_temperature(model: NeuralNetworkClassifier, X: npt.ArrayLike, y: npt.ArrayLike) -> TemperatureScaling:
    """Divide the logits of a fitted classifier by the temperature that makes rows it was not trained on most probable.

    Source: Guo et al. 2017, section 4.2. The output layer's weights and intercepts are divided, in a copy, so that
    saving and exporting need to know nothing of it.

    Args:
        X: (rows, features), y: (rows,): not rows of the training, whose probabilities are better than others', and not
            those that the result is to be measured on.

    Raises:
        SettingError: for a model whose outputs are neither softmax nor sigmoids.
        DataError: for labels that the model does not know.
    """
    rows = model._check(X)
    if model.out_activation_ not in ("softmax", "logistic"):
        raise SettingError(f"temperature scaling needs softmax or logistic outputs; got {model.out_activation_!r}")
    answers = model._targets(np.asarray(y), True, "y")
    if len(answers) != rows.shape[0]:
        raise DataError(f"X has {rows.shape[0]} rows and y has {len(answers)}; they must agree")
    table = model._task.table(smooth=False)
    T = np.asarray(answers if table is None else table[answers], np.float64)[None]
    z = np.asarray(model._of_logits(_as_they_are, rows, None), np.float64)[None]
    loss = LOSSES["cross_entropy"][model.out_activation_]

    def mean_loss(logarithm: float) -> float:
        return float(loss.value_and_delta(np, z / exp(logarithm), T).mean())

    found = minimize_scalar(mean_loss, bounds=(log(_COLDEST), log(_HOTTEST)), method="bounded", options={"xatol": 1e-8})
    temperature = exp(found.x)
    scaled = deepcopy(model)
    scaled.coefs_[-1][...] /= temperature
    scaled.intercepts_[-1][...] /= temperature
    if hasattr(scaled, "_learner"):
        scaled._learner.average.settle()  # training on goes on from here
    errors = [calibration_of(*_confidence(one, rows, answers)).error for one in (model, scaled)]
    return TemperatureScaling(temperature, scaled, mean_loss(0.0), float(found.fun), *errors)


def _confidence(model: NeuralNetworkClassifier, X: Array, answers: Array) -> tuple[Array, Array]:
    """Return how sure the model is of every answer, or of every label of a row, and whether that is right."""
    p = model.predict_proba_rows(X)
    if model.multilabel_:
        return np.maximum(p, 1 - p).ravel(), ((p > 0.5) == (answers > 0)).ravel()
    return p.max(axis=1), p.argmax(axis=1) == answers


def _as_they_are(xp: Any, z: Array) -> Array:
    return z
