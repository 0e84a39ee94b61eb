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
        seed: of all its trials. weights: of each trial, by its id.
    """

    seed: int
    weights: Mapping[str, float]


def values_by_seed(means: Sequence[Sequence[Contrast]], row_values: ValidationValues) -> Array:
    """Return the values of the contrasts behind several means, (means, seeds, rows); those of a seed are averaged."""
    return np.array([_average(contrasts, row_values) for contrasts in means])


def _average(contrasts: Sequence[Contrast], row_values: ValidationValues) -> list[Array]:
    of_seeds: dict[int, list[Array]] = {}
    for contrast in contrasts:
        d = sum(weight * row_values(trial).astype(np.float64) for trial, weight in contrast.weights.items())
        of_seeds.setdefault(contrast.seed, []).append(np.asarray(d))
    return [np.mean(of_seeds[seed], axis=0) for seed in sorted(of_seeds)]


def mean_of_contrasts(contrasts: Sequence[Contrast], row_values: ValidationValues, looked_at: int = 1) -> Difference:
    """Return the mean of contrasts with its margin.

    Args:
        looked_at: the number of means it was picked from; the error is divided by it (Bonferroni).
    """
    from mlplab.stats.variance_components import mean_difference

    (values,) = values_by_seed([contrasts], row_values)
    means = max(len(contrast.weights) for contrast in contrasts)
    difference, margin = mean_difference(values, 1 - 0.05 / looked_at, means=means)
    return Difference(difference, margin, len(values))


def difference_of_means(values: Array, of: int, to: int, looked_at: int) -> Difference:
    """Return how far one mean is ahead of another.

    Args:
        values: of all means there are, (means, seeds, rows), as `values_by_seed` returns them. of, to: which two.
        looked_at: as for `mean_of_contrasts`.
    """
    from mlplab.stats.variance_components import difference_of_two

    difference, margin = difference_of_two(values, of, to, 1 - 0.05 / looked_at)
    return Difference(difference, margin, values.shape[1])
