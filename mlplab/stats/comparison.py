"""Which configurations are the best, as far as seeds and rows can tell.

Differences have the errors of `mlplab.stats.variance_components`; here all configurations are compared at once.
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

#: Draws that critical values and probabilities are read from: a probability of 0.05 to ± 0.003; fewer for so many
#: configurations that they would be more numbers than this.
_DRAWS, _NUMBERS = 20_000, 20_000_000
#: Of these, so many give the critical values: 32 configurations take 40 instead of 160 ms. Small errors take more, for
#: a value that fewer draws exceed than so many is not known.
_CRITICAL_DRAWS, _BEYOND = 5_000, 50
#: Of how many configurations, at most, the correlations are reckoned with: 0.5 s for so many.
_CORRELATED = 60
#: How many of the best are printed.
_SHOWN = 50
#: More seeds than anybody will train.
_TOO_MANY = 10_000


@dataclass(frozen=True)
class Comparison:
    """What `compare_configurations` found; ``print`` shows it. Arrays are in the order of `names`.

    Attributes:
        names: of the configurations.
        seeds, rows: how many each was trained with, and measured on.
        confidence: of all statements together.
        means: shares of right answers, (C,).
        intervals: of each mean on its own, (C, 2): for other seeds and rows; with one seed, for other rows.
        probability_best: of being the best one, (C,); they add up to 1.
        behind: how far behind the highest mean, (C,).
        margins: how uncertain that is, (C,): a configuration that is further behind is not the best, at this confidence
            for all of them together. It is no interval: differences between others than the best may be larger.
        tied: those that cannot be told from the best, the highest mean first; with at least this confidence the best
            one is among them.
        smallest: the one with the fewest parameters of the tied and of those that are no further behind the highest
            mean than the margin; None where no parameters were given.
        seeds_needed: how many more seeds would, with a probability of 80 % if the means are what they seem, tell each
            of the tied from the best; 0 where one is alone already, None where not even thousands would do, for they
            are too much alike on these rows, or where a single seed cannot tell.
        left_out: how many more configurations a run folder has, which cannot be compared with these.
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
        told = [align([header, *map(self._line, order[:_SHOWN])])]
        if len(order) > _SHOWN:
            told.append(f"and {len(order) - _SHOWN:,} more, no nearer to the best")
        if self.left_out:
            told.append(f"and {self.left_out:,} that cannot be compared with them: they lack seeds, or come far behind")
        told += ["", self._verdict()]
        if self.smallest is not None:
            behind = 100 * self.behind[self.names.index(self.smallest)]
            how = f", {behind:.2f} points behind" if behind else ""
            told.append(f"The smallest that is tied or within the margin: {self.smallest}{how}.")
        if len(self.tied) > 1 and self.seeds_needed:
            told.append(f"{how_many(self.seeds_needed, 'more seed')} for each would probably tell all from the best.")
        elif len(self.tied) > 1 and self.seeds > 1:
            told.append("How many more seeds would tell all from the best cannot be said from these seeds and rows.")
        told.append(f"{how_many(self.seeds, 'seed')}, {self.rows:,} rows. {self.caveat}".strip())
        return "\n".join(told)

    def _verdict(self) -> str:
        first, *others = self.tied
        if len(self.names) == 1:
            return f"There is {first} alone, and nothing to compare it with."
        return f"Tied with the best, {first}: {'; '.join(others)}." if others else f"The best is {first}."

    @property
    def caveat(self) -> str:
        """What this leaves out, in words; empty where seeds and rows are both accounted for."""
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
    """Compare configurations that were trained with the same seeds and measured on the same rows.

    A configuration is no longer tied with the best when the one with the highest mean is significantly better than it:
    multiple comparisons with the best (Hsu 1981), each against the largest of the correlated differences to all others
    (Edwards and Hsu 1983), at an error of (1 - confidence)·(C - 1)/C. So the best one is among the tied with at least
    this confidence; and where all are equally good, one alone is left over with a probability of at most
    1 - confidence.

    Args:
        correct: whether each answer was right, (configurations, seeds, rows).
        names: of the configurations, all different.
        parameters: of each network, to find the smallest good one.
        margin: of accuracy, in shares of 1: how far behind the smallest may be, should it not be tied.

    Raises:
        DataError: for arrays of other shapes.
        SettingError: for a confidence or a margin that is none.
    """
    right = _checked(correct, names, parameters)
    if not 0.5 <= confidence < 1 or not 0 <= margin < 1:
        raise SettingError(f"wanted are 0.5 <= confidence < 1 and 0 <= margin < 1; got {confidence}, {margin}")
    count, seeds, rows = right.shape
    means = right.mean(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-means.round(DIGITS), kind="stable")
    best = int(order[0])
    crossed = VarianceComponents.of(right)
    of_rows, of_seeds = (_draw(part, right, stream) for stream, part in enumerate(crossed.parts()))
    critical = _critical_values(of_rows + of_seeds, confidence)
    behind = (means[best] - means).round(DIGITS)
    margins = np.full(count, inf)
    for highest in np.flatnonzero(behind == 0).tolist():  # several, perhaps: the order of the names means nothing
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
    """Return the right answers as numbers."""
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
        raise DataError(f"names must be different texts, at least one; got {shorten(list(names))}")
    if not np.isin(right, (0, 1)).all():
        raise DataError("correct must hold nothing but True and False")
    if parameters is not None and (len(parameters) != len(names) or not all(count >= 0 for count in parameters)):
        raise DataError(f"parameters must be a number for each of {len(names)} configurations; got {list(parameters)}")
    return right


def _draw(covariance: Array, right: Array, stream: int) -> Array:
    """Return draws from a normal distribution with mean 0, (draws, C); the same ones every time.

    The order of the configurations means nothing, and those whose answers are all the same are drawn as one.
    """
    answers = np.packbits(right.reshape(len(right), -1).astype(bool), axis=1)
    _, first, twins = np.unique(answers, axis=0, return_index=True, return_inverse=True)
    values, vectors = np.linalg.eigh(covariance[np.ix_(first, first)])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    count = min(_DRAWS, _NUMBERS // len(covariance))
    drawn: Array = np.random.default_rng([20_261_124, stream]).standard_normal((count, len(first))) @ root
    return drawn[:, twins.ravel()]


def _tails(crossed: VarianceComponents, count: int) -> Array:
    """Return factors, (draws, 1), that give normal draws of what the seeds do the tails of a t distribution."""
    generator, freedom = np.random.default_rng(20_261_125), crossed.degrees_of_freedom
    tails: Array = np.sqrt(freedom / generator.chisquare(freedom, (count, 1)))
    return tails


def _critical_values(draws: Array, confidence: float) -> Array:
    """Return for each of C configurations what the largest z-score of the others exceeds with the error allowed, (C,).

    Were it the best, all others ahead of it would be so by chance; their differences to it are correlated. Where there
    are very many, or the error is too small to be read from draws, it is shared out evenly instead (Bonferroni),
    whatever the correlations.
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
        if spread.any():  # not all are twins
            largest = (ahead[:, spread > 0] / spread[spread > 0]).max(axis=1)
            critical[i] = np.clip(np.quantile(largest, 1 - error), critical[i], most)
    return critical


def _probability_best(possible: Array) -> Array:
    """Return how often each has the highest mean in draws of what the true means may be: its share of a flat posterior.

    Those that are the same in a draw share it.
    """
    highest = possible == possible.max(axis=1, keepdims=True)
    shares: Array = (highest / highest.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _seeds_needed(
    crossed: VarianceComponents, best: int, behind: Array, critical: Array, not_rejected: Sequence[int]
) -> int | None:
    """Return how many more seeds would make every tied difference to the best as large as it must be, 4 times of 5."""
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
    of_rows, of_seeds = variance * (1 - share), variance * share * crossed.seeds  # which more seeds divide

    def are_enough(seeds: int) -> bool:
        variance = of_rows + of_seeds / seeds
        then = Errors(variance, of_seeds / seeds / variance, freedom + seeds - crossed.seeds, crossed.rows)
        needed = then.half_width(norm.sf(critical[rivals])) + norm.isf(0.2) * np.sqrt(variance)
        return bool((behind[rivals] >= needed).all())

    if not are_enough(_TOO_MANY):
        return None
    possible = np.unique(np.geomspace(crossed.seeds + 1, _TOO_MANY, 200).astype(int)).tolist()
    return int(next((seeds for seeds in possible if are_enough(seeds)), _TOO_MANY) - crossed.seeds)
