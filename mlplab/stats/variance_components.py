"""Errors of accuracies and of their differences, from predictions crossed by seeds and rows.

A value for each seed and each row is modelled as

    x = μ + (effect of the seed) + (effect of the row) + (interaction of both)

with seeds and rows crossed, as readers and cases are in diagnostic studies. An analysis of variance gives the three
variances (Hillis 2007), and from them an error that holds for other seeds and other rows. With a single seed, the first
variance is unknown, and the error holds for other rows only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from mlplab.engine.base import Array

#: Weight, in seeds, of the typical variance of all configurations in the variance of each one.
#: docs/decisions/0010-few-seeds.md has the figures.
_BORROWED = 2


def mean_difference(d: npt.ArrayLike, confidence: float = 0.95, *, means: int = 2) -> tuple[float, float]:
    """Return the mean of differences over seeds and rows, and the half-width of its two-sided interval.

    Args:
        d: the differences of two configurations, (seeds, rows), at least one of each; or a contrast of more `means`.
    """
    values = np.asarray(d, np.float64)[None]
    mean = float(values.mean())
    if values.shape[2] < 2:
        return mean, abs(mean) + 1  # a single row allows no estimate
    return mean, float(VarianceComponents.of(values, unseen=0.5 * means).of_means().half_width((1 - confidence) / 2)[0])


def difference_of_two(values: npt.ArrayLike, of: int, to: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the difference of two means, and the half-width of its interval.

    Args:
        values: of all configurations, (C, seeds, rows), at least one of each: the variance of the others over the seeds
            improves the estimate for these two.
        of, to: the indices of the two means; the second is subtracted from the first.
    """
    numbers = np.asarray(values, np.float64)
    mean = float(numbers[of].mean() - numbers[to].mean())
    if numbers.shape[2] < 2:
        return mean, abs(mean) + 1
    return mean, float(VarianceComponents.of(numbers).of_differences(to).half_width((1 - confidence) / 2)[of])


def accuracy_interval(correct: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of one configuration's accuracy for other seeds and rows; with one seed, for other rows only.

    Args:
        correct: whether each prediction was correct, (seeds, rows), at least one of each.
    """
    right = np.asarray(correct, np.float64)[None]
    if right.shape[2] < 2:
        return 0.0, 1.0
    ((low, high),) = accuracy_intervals(right.mean(axis=(1, 2)), VarianceComponents.of(right).of_means(), confidence)
    return float(low), float(high)


# Wilson's interval for the number of independent rows that would have the same variance.
# Source: Korn and Graubard 1998, section 2; Wilson 1927
def accuracy_intervals(means: Array, errors: Errors, confidence: float) -> Array:
    """Return the interval of every mean, (C, 2)."""
    binomial = means * (1 - means)
    n = np.where(binomial > 0, binomial / errors.variance, errors.rows)
    z = errors.quantile((1 - confidence) / 2)
    centre = (means + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(binomial / n + z * z / (4 * n * n))
    ends: Array = np.clip(np.stack([centre - half, centre + half], axis=1), 0, 1)
    return ends


@dataclass(frozen=True)
class Errors:
    """The errors of means or of differences.

    Attributes:
        variance: of each.
        seed_share: the share of the variance that comes from the seeds.
        degrees_of_freedom: of that share, for each or for all.
        rows: the number of rows, which determines the degrees of freedom of the rest.
    """

    variance: Array
    seed_share: Array
    degrees_of_freedom: float | Array
    rows: int

    # q = (1 - w)·t(R - 1) + w·t(d), w the seeds' share. Satterthwaite's degrees of freedom are too high where few seeds
    # happen to vary little: the error rate for d = 2 is then, in the worst case, 7.8 % instead of 5 %; with this
    # formula it is 5.1 %.
    # Source: Cochran and Cox 1957, section 4.14
    def quantile(self, error: float | Array) -> Array:
        """Return the number of standard errors that is exceeded by chance with probability `error`, one-sided."""
        of_rows, of_seeds = t.isf(error, self.rows - 1), t.isf(error, self.degrees_of_freedom)
        found: Array = of_rows + self.seed_share * (of_seeds - of_rows)
        return found

    def half_width(self, error: float | Array) -> Array:
        """Return the deviation that is exceeded by chance with probability `error`, one-sided."""
        half_width: Array = self.quantile(error) * np.sqrt(self.variance)
        return half_width


@dataclass(frozen=True)
class VarianceComponents:
    """Covariances of C means that come from the seeds, from the rows and from their interaction, (C, C) each.

    With Σa of the seeds, Σb of the rows and Σe of the interaction, `seed` estimates Σa + Σe/R, `row` Σb + Σe/S, and
    `rest` Σe. With one seed, Σa is left out and `rest` is 0.
    """

    seed: Array
    row: Array
    rest: Array
    seeds: int
    rows: int

    @classmethod
    def of(cls, values: Array, unseen: float = 0.5) -> VarianceComponents:
        """Return the components of values (C, S, R).

        unseen: the number of differing answers that are added to every seed, each in a row of its own, because
            observing none does not prove that there are none. It is one half for each mean that is compared. Source:
            Agresti and Min 2005, section 3.
        """
        count, seeds, rows = values.shape
        by_seed, by_row = values.mean(axis=2, dtype=np.float64), values.mean(axis=1, dtype=np.float64)
        mean = by_seed.mean(axis=1, keepdims=True)
        row = _covariance(by_row - mean, rows - 1) + unseen * np.eye(count) / (seeds * (rows - 1))
        rest: Array = np.zeros((count, count))
        seed = rest
        if seeds > 1:
            seed = _covariance(by_seed - mean, seeds - 1)
            for s in range(seeds):
                left = values[:, s] - by_seed[:, s : s + 1] - by_row + mean
                rest = rest + _covariance(left, (seeds - 1) * (rows - 1))
        return cls(seed, row, rest, seeds, rows)

    def of_means(self) -> Errors:
        """Return the error of each mean on its own, (C,)."""
        return self._errors(np.diag(self.seed), np.diag(self.row), np.diag(self.rest), max(1, self.seeds - 1))

    def of_differences(self, to: int) -> Errors:
        """Return the errors of the differences of all means to one, (C,).

        The variance of one difference over a few seeds is poorly known. The typical variance of all differences is
        better known, but they need not be alike. The typical variance therefore counts as two additional seeds. It
        never lowers the variance of a difference below that of its own seeds, and counts as fewer than two where that
        is larger.
        """
        seed, row, rest = (_of_differences(part, to) for part in (self.seed, self.row, self.rest))
        usual = np.full_like(seed, 2 * max(0.0, self.usual))  # rounding may make it negative
        borrowed = (_BORROWED * usual + (self.seeds - 1) * seed) / (_BORROWED + self.seeds - 1)
        alike = np.divide(usual, seed, where=seed > usual, out=np.ones_like(seed))
        return self._errors(np.maximum(seed, borrowed), row, rest, self._freedom(_BORROWED * alike))

    # v = (Σb)/R + (Σa + Σe/R)/S, with no negative part, and at least Σe/(R·S) as the second
    def _errors(self, seed: Array, row: Array, rest: Array, freedom: float | Array) -> Errors:
        of_rows = np.maximum(row - rest / self.seeds, 0) / self.rows
        of_seeds = np.maximum(seed, rest / self.rows) / self.seeds
        variance = of_rows + of_seeds
        share = np.divide(of_seeds, variance, where=variance > 0, out=np.zeros_like(variance))
        return Errors(variance, share, freedom, self.rows)

    @property
    def degrees_of_freedom(self) -> float:
        """The typical degrees of freedom of the seeds' part of a difference."""
        return float(self._freedom(np.array(_BORROWED)))

    def _freedom(self, borrowed: Array) -> Array:
        own = self.seeds - 1
        freedom: Array = np.maximum(1, np.minimum(own + borrowed, (len(self.seed) - 1) * own))
        return freedom

    @property
    def usual(self) -> float:
        """The typical (median) variance of a mean over the seeds, without the variance that all means share."""
        count = len(self.seed)
        centring = np.eye(count) - 1 / count
        return float(np.median(np.diag(centring @ self.seed @ centring))) * count / max(1, count - 1)

    def parts(self) -> tuple[Array, Array]:
        """Return the covariances of the means that come from the rows and from the seeds, (C, C) each."""
        borrowed = _BORROWED * self.usual * np.eye(len(self.seed))
        seed = (borrowed + (self.seeds - 1) * self.seed) / (_BORROWED + self.seeds - 1)
        seed += np.diag(np.maximum(np.diag(self.rest) / self.rows - np.diag(seed), 0))
        return (self.row - self.rest / self.seeds) / self.rows, seed / self.seeds


def _covariance(centred: Array, degrees: float) -> Array:
    covariance: Array = centred @ centred.T / degrees
    return covariance


def _of_differences(part: Array, to: int) -> Array:
    own = np.diag(part)
    variances: Array = np.maximum(own + own[to] - 2 * part[to], 0)
    return variances
