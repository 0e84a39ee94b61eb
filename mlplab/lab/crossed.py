"""Right answers crossed by seeds and rows: how far a mean of them, or a difference of two, can be trusted.

A number for each seed and each row, and its mean, are modelled as

    x = μ + (what the seeds drew) + (what the rows happened to be) + (what both together did)

with seeds and rows crossed, as readers and cases are in diagnostic studies: an analysis of variance gives the three
variances (Hillis 2007), and with them an error that holds for other seeds and other rows. With a single seed the first
is unknown: the error then holds for the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t

from mlplab.engine.numpy_engine import Array


def paired_difference(d: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the mean of differences that belong to seeds and rows, and half the width of its two-sided interval.

    The error is that of `compare_configurations`.

    Args:
        d: how far the one is ahead of the other, (seeds, rows), at least one of each.
    """
    values = np.asarray(d, np.float64)[None]
    mean = float(values.mean())
    if values.shape[2] < 2:
        return mean, 1.0  # a single row tells nothing
    variance, freedom = Parts.of(values, np.arange(1)).of_means()
    return mean, float(t.isf((1 - confidence) / 2, freedom[0]) * np.sqrt(variance[0]))


def accuracy_interval(correct: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of one configuration's accuracy, for other seeds and rows; with one seed, for other rows.

    Args:
        correct: whether each answer was right, (seeds, rows), at least one of each.
    """
    right = np.asarray(correct, np.float32)[None]
    if right.shape[2] < 2:
        return 0.0, 1.0  # a single row tells nothing
    means = right.mean(axis=(1, 2), dtype=np.float64)
    parts = Parts.of(right, np.arange(1))
    ((low, high),) = accuracy_intervals(means, *parts.of_means(), right.shape[2], confidence)
    return float(low), float(high)


# Wilson's interval for the number of independent rows that would have the same variance.
# Source: Korn and Graubard 1998, section 2; Wilson 1927
def accuracy_intervals(means: Array, variance: Array, freedom: Array, rows: int, confidence: float) -> Array:
    """Return the interval of every mean, (C, 2); `variance` and `freedom` are those of the means, (C,) each."""
    binomial = means * (1 - means)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where((binomial > 0) & (variance > 0), binomial / variance, rows)
    z = t.isf((1 - confidence) / 2, freedom)
    centre = (means + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(binomial / n + z * z / (4 * n * n))
    ends: Array = np.clip(np.stack([centre - half, centre + half], axis=1), 0, 1)
    return ends


@dataclass(frozen=True)
class Part:
    """Covariances: of the leaders with all, (L, C), and of all with themselves, (C,)."""

    block: Array
    own: Array
    leaders: Array

    @classmethod
    def of(cls, centred: Array, degrees: float, leaders: Array) -> Part:
        """Return those of numbers (C, N) whose mean is 0."""
        block = (centred[leaders] @ centred.T).astype(np.float64) / degrees
        return cls(block, np.einsum("cn,cn->c", centred, centred).astype(np.float64) / degrees, leaders)

    def __add__(self, other: Part) -> Part:
        return Part(self.block + other.block, self.own + other.own, self.leaders)

    def of_differences(self) -> Array:
        """Return the variances of the differences of the leaders to all, (L, C)."""
        variance: Array = self.own[self.leaders][:, None] + self.own - 2 * self.block
        variance[np.arange(len(self.leaders)), self.leaders] = 0
        return np.maximum(variance, 0)

    def of_leaders(self) -> Array:
        """Return the covariances of the leaders, (L, L)."""
        return self.block[:, self.leaders]


@dataclass(frozen=True)
class Parts:
    """What the seeds, the rows, and both together make of the means: covariances of the configurations.

    With Σa of the seeds, Σb of the rows and Σe of both together, `seed` estimates Σa + Σe/R, `row` Σb + Σe/S, and
    `rest` Σe.
    """

    seed: Part
    row: Part
    rest: Part
    seeds: int
    rows: int

    @classmethod
    def of(cls, right: Array, leaders: Array) -> Parts:
        count, seeds, rows = right.shape
        by_seed = right.mean(axis=2, dtype=np.float64)
        by_row = right.mean(axis=1, dtype=np.float64)
        mean = by_seed.mean(axis=1, keepdims=True)
        row = Part.of(by_row - mean, rows - 1, leaders)
        rest = seed = Part.of(np.zeros((count, 1)), 1, leaders)
        if seeds > 1:
            seed = Part.of(by_seed - mean, seeds - 1, leaders)
            for s in range(seeds):
                left = right[:, s] - by_seed[:, s : s + 1] - by_row + mean
                rest += Part.of(left, (seeds - 1) * (rows - 1), leaders)
        return cls(seed, row, rest, seeds, rows)

    def covariance(self) -> Array:
        """Return that of the leaders' means: Σa/S + Σb/R + Σe/(S·R), its first part kept from being negative."""
        of_seeds = (self.seed.of_leaders() - self.rest.of_leaders() / self.rows) / self.seeds
        values, vectors = np.linalg.eigh(of_seeds)
        covariance: Array = self.row.of_leaders() / self.rows + (vectors * np.maximum(values, 0)) @ vectors.T
        return covariance

    def of_differences(self) -> tuple[Array, Array]:
        """Return the variance of the leaders' differences to all, and its degrees of freedom, (L, C) each."""
        return self._errors(*(part.of_differences() for part in (self.seed, self.row, self.rest)))

    def of_means(self) -> tuple[Array, Array]:
        """Return the variance of every mean, and its degrees of freedom, (C,) each."""
        return self._errors(self.seed.own, self.row.own, self.rest.own)

    # v = row/R + max(seed - rest/R, 0)/S
    # degrees of freedom: v² / ((row/R)²/(R - 1) + (seed/S)²/d), Satterthwaite 1946, equation 17
    def _errors(self, seed: Array, row: Array, rest: Array) -> tuple[Array, Array]:
        of_rows, d = row / self.rows, inf
        if self.seeds > 1:
            seed, d = _moderated(seed, self.seeds - 1)
        variance = of_rows + np.maximum(seed - rest / self.rows, 0) / self.seeds
        doubt = of_rows**2 / (self.rows - 1) + (seed / self.seeds) ** 2 / d
        with np.errstate(invalid="ignore", divide="ignore"):
            freedom = np.where(doubt > 0, variance**2 / doubt, self.rows - 1)
        return variance, np.maximum(freedom, 1.0)


# d₀ and s₀² from the mean and the variance of log s²; then s² ← (d₀·s₀² + d·s²)/(d₀ + d), of d₀ + d degrees of freedom
def _moderated(variances: Array, d: float) -> tuple[Array, float]:
    """Return variances that a few seeds tell, each drawn towards what all of them tell, and their degrees of freedom.

    Three seeds tell little of one difference, but much of the differences of twenty configurations: the more alike
    these scatter, the more is borrowed. Source: Smyth 2004, section 6.2.
    """
    known = variances[variances > 0]
    if len(known) < 3:
        return variances, d
    logs = np.log(known) - digamma(d / 2) + log(d / 2)
    excess = float(logs.var(ddof=1) - polygamma(1, d / 2))
    if excess <= 0:  # they scatter no more than chance makes them
        return np.where(variances > 0, np.exp(logs.mean()), 0.0), d * len(known)
    d0 = float(brentq(lambda x: polygamma(1, x / 2) - excess, 1e-6, 1e9))
    usual = np.exp(logs.mean() + digamma(d0 / 2) - log(d0 / 2))
    moderated: Array = (d0 * usual + d * variances) / (d0 + d)
    return np.where(variances > 0, moderated, 0.0), d0 + d
