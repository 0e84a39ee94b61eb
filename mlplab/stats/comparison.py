"""Find the best configurations, given the uncertainty from seeds and rows.

All configurations are compared at once. The errors of their differences come from `mlplab.stats.variance_components`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError, shorten
from mlplab.stats.variance_components import Errors, VarianceComponents, accuracy_intervals
from mlplab.utils.text import DIGITS, align, chance, how_many, percent, points

#: Number of draws for critical values and probabilities: a probability of 0.05 is estimated to ± 0.003. There are fewer
#: draws where draws times configurations would exceed the second number.
_DRAWS, _NUMBERS = 20_000, 20_000_000
#: Number of these draws used for critical values: 32 configurations take 40 ms instead of 160. Small errors need more
#: draws, because a quantile that fewer draws than the second number exceed is unreliable.
_CRITICAL_DRAWS, _BEYOND = 5_000, 50
#: The largest number of configurations whose correlations are taken into account, which takes 0.5 s for this many.
_CORRELATED = 60
#: Number of configurations printed, the best first.
_SHOWN = 50
#: Upper bound of the search for the number of seeds needed.
_TOO_MANY = 10_000


@dataclass(frozen=True)
class Comparison:
    """The result of `compare_configurations`; ``print`` shows it. Arrays are in the order of `names`.

    Attributes:
        names: of the configurations.
        seeds, rows: the number of seeds that each was trained with, and of rows that each was evaluated on.
        confidence: the joint confidence level of all comparisons.
        means: the accuracies, (C,).
        intervals: the interval of each mean on its own, (C, 2), for other seeds and rows; with one seed, for other rows
            only.
        probability_best: the probability that each is the best, (C,); they sum to 1.
        behind: the gap of each to the highest mean, (C,).
        margins: the uncertainty of these gaps, (C,): a configuration with a larger gap is not the best, at the joint
            confidence level. A margin is not the half-width of an interval, and differences between configurations
            other than the best may be larger.
        tied: the configurations that are not significantly worse than the best, the highest mean first; the best one is
            among them with at least this confidence.
        smallest: the configuration with the fewest parameters among the tied ones and those whose gap to the highest
            mean is at most the `margin`; None where no parameters were given.
        seeds_needed: the number of additional seeds that would separate every tied configuration from the best with a
            probability of 80 %, if the true means are those observed. It is 0 where a single configuration is left, and
            None where even thousands of seeds would not suffice because the configurations are too similar on these
            rows, or where there is only one seed, which allows no estimate.
        left_out: the number of other configurations in a run folder, which cannot be compared with these.
    """

    names: list[str]
    seeds: int
    rows: int
    confidence: float
    means: Array
    intervals: Array
    probability_best: Array
    behind: Array
    margins: Array
    tied: list[str]
    smallest: str | None
    seeds_needed: int | None
    left_out: int = 0

    def __str__(self) -> str:
        order = np.argsort(-self.means, kind="stable").tolist()
        header = ["", "mean", f"{100 * self.confidence:g} % interval", "behind (points)", "best", ""]
        lines = [align([header, *map(self._line, order[:_SHOWN])])]
        if len(order) > _SHOWN:
            lines.append(f"and {len(order) - _SHOWN:,} more, no nearer to the best")
        if self.left_out:
            lines.append(
                f"and {self.left_out:,} that cannot be compared with them: they lack seeds, or come far behind"
            )
        lines += ["", self._verdict()]
        if self.smallest is not None:
            behind = 100 * self.behind[self.names.index(self.smallest)]
            how = f", {behind:.2f} points behind" if behind else ""
            lines.append(f"The smallest that is tied or within the margin: {self.smallest}{how}.")
        if len(self.tied) > 1 and self.seeds_needed:
            lines.append(f"{how_many(self.seeds_needed, 'more seed')} for each would probably tell all from the best.")
        elif len(self.tied) > 1 and self.seeds > 1:
            lines.append("How many more seeds would tell all from the best cannot be said from these seeds and rows.")
        lines.append(f"{how_many(self.seeds, 'seed')}, {self.rows:,} rows. {self.caveat}".strip())
        return "\n".join(lines)

    def _verdict(self) -> str:
        first, *others = self.tied
        if len(self.names) == 1:
            return f"There is {first} alone, and nothing to compare it with."
        return f"Tied with the best, {first}: {'; '.join(others)}." if others else f"The best is {first}."

    @property
    def caveat(self) -> str:
        """The limitation of a comparison with a single seed, as text; empty with several seeds."""
        if self.seeds > 1:
            return ""
        return (
            "With one seed, all this holds for these very networks on other rows: how far another seed would move each "
            "of them, nothing here can tell."
        )

    def _line(self, k: int) -> list[str]:
        low, high = (percent(end) for end in self.intervals[k])
        behind = points(100 * self.behind[k], 100 * self.margins[k]) if self.names[k] != self.tied[0] else ""
        return [
            self.names[k],
            percent(self.means[k]),
            f"{low} to {high}",
            behind,
            chance(self.probability_best[k]),
            "tied" if self.names[k] in self.tied and len(self.tied) > 1 else "",
        ]


def compare_configurations(
    correct: npt.ArrayLike,
    names: Sequence[str],
    *,
    confidence: float = 0.95,
    parameters: Sequence[int] | None = None,
    margin: float = 0.0,
) -> Comparison:
    """Compare configurations that were trained with the same seeds and evaluated on the same rows.

    A configuration is no longer tied with the best when the one with the highest mean is significantly better. The
    method is multiple comparisons with the best (Hsu 1981), with critical values from the largest of the correlated
    differences to all others (Edwards and Hsu 1983), at an error of (1 - confidence)·(C - 1)/C. The best configuration
    is therefore among the tied ones with at least this confidence. If all are equally good, only one of them is left
    with a probability of at most 1 - confidence.

    Args:
        correct: whether each prediction was correct, (configurations, seeds, rows).
        names: of the configurations, all different.
        parameters: the number of parameters of each network, to find `Comparison.smallest`.
        margin: the largest gap in accuracy, as a share of 1, that `Comparison.smallest` may have if it is not tied.

    Raises:
        DataError: for arrays of other shapes.
        SettingError: for a confidence or a margin out of range.
    """
    right = _checked(correct, names, parameters)
    if not 0.5 <= confidence < 1 or not 0 <= margin < 1:
        raise SettingError(f"confidence must be in [0.5, 1) and margin in [0, 1); got {confidence}, {margin}")
    count, seeds, rows = right.shape
    means = right.mean(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-means.round(DIGITS), kind="stable")
    best = int(order[0])
    crossed = VarianceComponents.of(right)
    of_rows, of_seeds = (_draw(part, right, stream) for stream, part in enumerate(crossed.parts()))
    critical = _critical_values(of_rows + of_seeds, confidence)
    behind = (means[best] - means).round(DIGITS)
    margins = np.full(count, inf)
    for highest in np.flatnonzero(behind == 0).tolist():  # there may be several, and their order must not matter
        half_width = crossed.of_differences(highest).half_width(norm.sf(critical))
        margins = np.where(np.arange(count) == highest, margins, np.minimum(margins, half_width))
    margins[best] = 0
    not_rejected = behind <= margins
    good: list[int] = np.flatnonzero(not_rejected | (behind <= margin)).tolist()
    return Comparison(
        names=list(names),
        seeds=seeds,
        rows=rows,
        confidence=confidence,
        means=means,
        intervals=accuracy_intervals(means, crossed.of_means(), confidence),
        probability_best=_probability_best(means + of_rows + _tails(crossed, len(of_seeds)) * of_seeds),
        behind=behind,
        margins=margins,
        tied=[names[k] for k in order if not_rejected[k]],
        smallest=None if parameters is None else names[min(good, key=lambda k: (parameters[k], -means[k]))],
        seeds_needed=_seeds_needed(crossed, best, behind, critical, np.flatnonzero(not_rejected).tolist()),
    )


def _checked(correct: npt.ArrayLike, names: Sequence[str], parameters: Sequence[int] | None) -> Array:
    """Check the arguments and return `correct` as numbers."""
    try:
        right = np.asarray(correct, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"correct must be an array (configurations, seeds, rows): {shorten(str(error))}") from error
    if right.ndim != 3 or right.shape[0] != len(names) or not right.shape[1] or right.shape[2] < 2:
        raise DataError(
            "correct must be (configurations, seeds, rows), with a name for each configuration and at least 2 rows; "
            f"got {right.shape} and {len(names)} names"
        )
    if not len(names) or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise DataError(f"names must be different strings, at least one; got {shorten(list(names))}")
    if not np.isin(right, (0, 1)).all():
        raise DataError("correct must contain only True and False")
    if parameters is not None and (len(parameters) != len(names) or not all(count >= 0 for count in parameters)):
        raise DataError(f"parameters must be a number for each of {len(names)} configurations; got {list(parameters)}")
    return right


def _draw(covariance: Array, right: Array, stream: int) -> Array:
    """Return draws from a normal distribution with mean 0, (draws, C); the same draws in every call.

    The order of the configurations does not matter, and those with identical answers share their draws.
    """
    answers = np.packbits(right.reshape(len(right), -1).astype(bool), axis=1)
    _, first, twins = np.unique(answers, axis=0, return_index=True, return_inverse=True)
    values, vectors = np.linalg.eigh(covariance[np.ix_(first, first)])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    count = min(_DRAWS, _NUMBERS // len(covariance))
    drawn: Array = np.random.default_rng([20_261_124, stream]).standard_normal((count, len(first))) @ root
    return drawn[:, twins.ravel()]


def _tails(crossed: VarianceComponents, count: int) -> Array:
    """Return factors, (draws, 1), that give normal draws of the seed effects the tails of a t distribution."""
    generator, freedom = np.random.default_rng(20_261_125), crossed.degrees_of_freedom
    tails: Array = np.sqrt(freedom / generator.chisquare(freedom, (count, 1)))
    return tails


def _critical_values(draws: Array, confidence: float) -> Array:
    """Return the critical value for the largest z-score of the other configurations, for each of C, (C,).

    If a configuration is the best, all others ahead of it are so by chance, and their differences to it are correlated.
    For very many configurations, or an error too small to estimate from draws, the error is divided evenly between them
    (Bonferroni), which is valid for any correlations.
    """
    count = draws.shape[1]
    if count < 2:
        return np.zeros(count)
    error = (1 - confidence) * (count - 1) / count
    most = float(norm.isf(error / (count - 1)))
    critical = np.full(count, most)
    draws = draws[: max(_CRITICAL_DRAWS, ceil(_BEYOND / error))]
    for i in range(count) if count <= _CORRELATED and error * len(draws) >= _BEYOND else ():
        ahead = np.delete(draws, i, axis=1) - draws[:, i : i + 1]
        spread = ahead.std(axis=0)
        critical[i] = norm.isf(error)
        if spread.any():  # some have other answers
            largest = (ahead[:, spread > 0] / spread[spread > 0]).max(axis=1)
            critical[i] = np.clip(np.quantile(largest, 1 - error), critical[i], most)
    return critical


def _probability_best(possible: Array) -> Array:
    """Return each configuration's probability of being the best, from draws of the true means given a flat prior.

    Configurations with equal means in a draw share it.
    """
    highest = possible == possible.max(axis=1, keepdims=True)
    shares: Array = (highest / highest.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _seeds_needed(
    crossed: VarianceComponents, best: int, behind: Array, critical: Array, not_rejected: Sequence[int]
) -> int | None:
    """Return the number of additional seeds that make every tied gap to the best significant, 4 times out of 5."""
    rivals = [k for k in not_rejected if k != best]
    if not rivals:
        return 0
    if crossed.seeds == 1:
        return None
    errors = crossed.of_differences(best)
    variance, share, freedom = (
        errors.variance[rivals],
        errors.seed_share[rivals],
        np.asarray(errors.degrees_of_freedom)[rivals],
    )
    of_rows, of_seeds = variance * (1 - share), variance * share * crossed.seeds  # of_seeds is divided by the seeds

    def are_enough(seeds: int) -> bool:
        variance = of_rows + of_seeds / seeds
        then = Errors(variance, of_seeds / seeds / variance, freedom + seeds - crossed.seeds, crossed.rows)
        needed = then.half_width(norm.sf(critical[rivals])) + norm.isf(0.2) * np.sqrt(variance)
        return bool((behind[rivals] >= needed).all())

    if not are_enough(_TOO_MANY):
        return None
    possible = np.unique(np.geomspace(crossed.seeds + 1, _TOO_MANY, 200).astype(int)).tolist()
    return int(next((seeds for seeds in possible if are_enough(seeds)), _TOO_MANY) - crossed.seeds)
