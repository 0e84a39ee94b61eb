"""Differences of means over trials, with their margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array
from mlplab.lab.analysis.findings import Difference
from mlplab.lab.analysis.ranking import ValidationValues


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the row values of the networks of one seed.

    Attributes:
        seed: the seed of all its trials. weights: the weight of each trial, by trial id.
    """

    seed: int
    weights: Mapping[str, float]


def values_by_seed(means: Sequence[Sequence[Contrast]], row_values: ValidationValues) -> Array:
    """Return the row values of several means, (means, seeds, rows): for each seed, the average of its contrasts."""
    return np.array([_average(contrasts, row_values) for contrasts in means])


def _average(contrasts: Sequence[Contrast], row_values: ValidationValues) -> list[Array]:
    by_seed: dict[int, list[Array]] = {}
    for contrast in contrasts:
        values = sum(weight * row_values(trial).astype(np.float64) for trial, weight in contrast.weights.items())
        by_seed.setdefault(contrast.seed, []).append(np.asarray(values))
    return [np.mean(by_seed[seed], axis=0) for seed in sorted(by_seed)]


def mean_of_contrasts(contrasts: Sequence[Contrast], row_values: ValidationValues, comparisons: int = 1) -> Difference:
    """Return the mean of contrasts with its margin.

    Args:
        contrasts: one or more for each seed.
        row_values: the values of the metric.
        comparisons: the number of means from which this one was selected; the error rate is divided by it
            (Bonferroni).
    """
    from mlplab.stats.variance_components import mean_difference

    (values,) = values_by_seed([contrasts], row_values)
    means = max(len(contrast.weights) for contrast in contrasts)
    difference, margin = mean_difference(values, 1 - 0.05 / comparisons, means=means)
    return Difference(difference, margin, len(values))


def difference_of_means(values: Array, of: int, to: int, comparisons: int) -> Difference:
    """Return the difference of two means, the first minus the second, with its margin.

    Args:
        values: the row values of all means, (means, seeds, rows), as returned by `values_by_seed`.
        of, to: the positions of the first and of the second mean.
        comparisons: see `mean_of_contrasts`.
    """
    from mlplab.stats.variance_components import difference_of_two

    difference, margin = difference_of_two(values, of, to, 1 - 0.05 / comparisons)
    return Difference(difference, margin, values.shape[1])
