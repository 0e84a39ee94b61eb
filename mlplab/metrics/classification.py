"""The values of single rows that metrics of classifiers are the means of. Shapes: `mlplab.metrics.base.Metric`."""

from __future__ import annotations

import numpy as np

from mlplab.engine.base import Array


def is_right(true: Array, predicted: Array) -> Array:
    """Return whether each row's class is the predicted one, or all of its labels are, (rows,) bool."""
    equal = np.asarray(true == predicted)
    return equal if equal.ndim == 1 else np.asarray(equal.all(axis=1))


# loss = -log p of the true class; of several labels, the sum of -log p or -log(1 - p)
def log_losses(true: Array, predicted: Array) -> Array:
    """Return each row's -log of the truth's probability, nats, (rows,).

    A probability of 0 counts as the smallest positive number of its type, so that the loss is finite.
    """
    several = true.ndim > 1
    p = np.where(true > 0, predicted, 1 - predicted) if several else predicted[np.arange(len(true)), true]
    losses: Array = -np.log(np.maximum(p, np.finfo(p.dtype).tiny))
    return losses.sum(axis=1) if several else losses


# score = Σ (p - t)² over the classes, t = 1 for the true one and 0 for the others
def brier_scores(true: Array, predicted: Array) -> Array:
    """Return each row's squared differences between probabilities and truth, summed over the classes, (rows,).

    The score is 0 for a certain and right prediction and 2 for a certain and wrong one, for any number of classes. With
    two classes it is twice what scikit-learn's `brier_score_loss` gives by default, and equal to it with
    ``scale_by_half=False``; a network with two softmax outputs and one with a single sigmoid then have the same score.
    Of several labels a row has a squared difference each, and the score lies in 0 to their number.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    difference = predicted.astype(np.float64)
    if true.ndim == 1:
        difference[np.arange(len(true)), true] -= 1
    else:
        difference -= true
    scores: Array = np.square(difference, out=difference).sum(axis=1)
    return scores
