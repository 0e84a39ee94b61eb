"""Which configurations are the best, as far as seeds and rows can tell.

Differences of configurations have the errors of `mlplab.lab.crossed`; here they are compared, all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from mlplab.engine.numpy_engine import Array
from mlplab.errors import DataError, SettingError, shorten
from mlplab.lab.crossed import Parts, accuracy_intervals
from mlplab.text import align, percent

#: Draws that critical values and probabilities are read from: a probability of 0.05 to ± 0.003.
_DRAWS = 20_000
#: How many of the highest means are compared with all; those behind them, by Bonferroni's inequality, with these alone.
_LEADERS = 60
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
            for all of them together.
        tied: those that cannot be told from the best, the highest mean first; with at least this confidence the best
            one is among them.
        smallest: the one with the fewest parameters of the tied and of those that are no further behind the highest
            mean than the margin; None where no parameters were given.
        seeds_needed: how many more seeds would, with a probability of 80 % if the means are what they seem, tell each
            of the tied from the best; 0 where one is alone already, None where no number of seeds would do, for the
            rows are too few, or where a single seed cannot tell.
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

    def __str__(self) -> str:
        order = np.argsort(-self.means, kind="stable").tolist()
        header = ["", "mean", f"{100 * self.confidence:g} % interval", "behind (points)", "best", ""]
        told = [align([header, *map(self._line, order[:_SHOWN])])]
        if len(order) > _SHOWN:
            told.append(f"and {len(order) - _SHOWN:,} more, further behind")
        told.append("")
        others = len(self.tied) - 1
        told.append(f"{self.tied[0]} is the best." if not others else f"Tied with the best: {', '.join(self.tied)}.")
        if self.smallest is not None:
            told.append(f"The smallest good one: {self.smallest}.")
        if others and self.seeds_needed:
            told.append(f"{self.seeds_needed} more seeds for each would probably tell all of them from the best.")
        elif others and self.seeds > 1:
            told.append("More seeds would not tell all of them from the best: the rows are too few.")
        return "\n".join(
            [*told, f"{self.seeds} seed{'s' * (self.seeds > 1)}, {self.rows:,} rows. {self.caveat}".strip()]
        )

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
        behind = f"{100 * self.behind[k]:.2f} ± {100 * self.margins[k]:.2f}" if self.margins[k] else ""
        chance = self.probability_best[k]
        return [
            self.names[k],
            percent(self.means[k]),
            f"{low} to {high}",
            behind,
            "< 1 %" if chance < 0.01 else f"{100 * chance:.0f} %",
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

    A configuration is no longer tied with the best when another is significantly better than it: multiple comparisons
    with the best (Hsu 1981), each against the largest of the correlated differences to all others (Edwards and Hsu
    1983), at an error of (1 - confidence)·(C - 1)/C. So the best one is among the tied with at least this confidence;
    and where all are equally good, one alone is left over with a probability of at most 1 - confidence.

    Args:
        correct: whether each answer was right, (configurations, seeds, rows).
        names: of the configurations, all different.
        parameters: of each network, to find the smallest good one.
        margin: of accuracy, in shares of 1: how far behind the smallest may be, should it not be tied.

    Raises:
        DataError: for arrays of other shapes.
        SettingError: for a confidence or a margin that is none.
    """
    right = np.asarray(correct, np.float32)
    _check(right, names, parameters)
    if not 0.5 <= confidence < 1 or not 0 <= margin < 1:
        raise SettingError(f"wanted are 0.5 <= confidence < 1 and 0 <= margin < 1; got {confidence}, {margin}")
    count, seeds, rows = right.shape
    means = right.mean(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-means, kind="stable")
    leaders, best = order[:_LEADERS], int(order[0])
    parts = Parts.of(right, leaders)
    ahead = means[leaders][:, None] - means  # of the leaders, how far ahead of each
    variance, freedom = parts.of_differences()
    draws = _draws(parts.covariance())
    critical = np.full(count, _most_critical(confidence, count))
    critical[leaders] = _critical_values(draws, confidence, count)

    z = _z_scores(ahead, variance, freedom)
    z[np.arange(len(leaders)), leaders] = -inf  # by itself
    standing = z.max(axis=0) <= critical
    standing[best] = True
    good: list[int] = np.flatnonzero(standing | (means[best] - means <= margin)).tolist()
    chances = np.zeros(count)
    chances[leaders] = _probability_best(means[leaders], draws, float(np.median(freedom[0])))
    with np.errstate(invalid="ignore"):  # of the best to itself
        margins: Array = t.isf(norm.sf(critical), freedom[0]) * np.sqrt(variance[0])
    return Comparison(
        names=list(names),
        seeds=seeds,
        rows=rows,
        confidence=confidence,
        means=means,
        intervals=accuracy_intervals(means, *parts.of_means(), rows, confidence),
        probability_best=chances,
        behind=means[best] - means,
        margins=np.where(np.arange(count) == best, 0.0, margins),
        tied=[names[k] for k in order if standing[k]],
        smallest=None if parameters is None else names[min(good, key=lambda k: (parameters[k], -means[k]))],
        seeds_needed=_seeds_needed(parts, ahead[0], critical, [int(k) for k in np.flatnonzero(standing) if k != best]),
    )


def _check(right: Array, names: Sequence[str], parameters: Sequence[int] | None) -> None:
    if right.ndim != 3 or right.shape[0] != len(names) or not right.shape[1] or right.shape[2] < 2:
        raise DataError(
            "correct must be (configurations, seeds, rows), with a name for each configuration and at least 2 rows; "
            f"got {right.shape} and {len(names)} names"
        )
    if not len(names) or len(set(names)) < len(names):
        raise DataError(f"names must be different ones, at least one; got {shorten(list(names))}")
    if not np.isin(right, (0, 1)).all():
        raise DataError("correct must hold nothing but True and False")
    if parameters is not None and len(parameters) != len(names):
        raise DataError(f"parameters must be a number for each of {len(names)} configurations; got {len(parameters)}")


def _z_scores(difference: Array, variance: Array, freedom: Array) -> Array:
    """Return, for t-values, the values of a standard normal variable that are as improbable."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(variance > 0, difference / np.sqrt(variance), np.where(difference > 0, inf, 0.0))
    return np.asarray(norm.isf(t.sf(ratio, freedom)))


def _draws(covariance: Array) -> Array:
    """Return draws from a normal distribution with mean 0, (draws, L); the same ones every time."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    standard = np.random.default_rng(20_261_124).standard_normal((_DRAWS, len(covariance)), np.float32)
    drawn: Array = standard @ root.T.astype(np.float32)
    return drawn


def _error(confidence: float, count: int) -> float:
    """Return the error that each configuration's comparison with all others may have."""
    return (1 - confidence) * (count - 1) / count


def _most_critical(confidence: float, count: int) -> float:
    """Return what a z-score must exceed whatever the correlations: Bonferroni's; nothing does where there is one."""
    return float(norm.isf(_error(confidence, count) / (count - 1))) if count > 1 else inf


def _critical_values(draws: Array, confidence: float, count: int) -> Array:
    """Return, for each leader, what the largest z-score of the others exceeds with the error allowed, (L,).

    Were it the best, all others ahead of it would be so by chance; their differences to it are correlated. Where there
    are more configurations than leaders, the error is shared out first.
    """
    leaders = draws.shape[1]
    most, error = _most_critical(confidence, count), _error(confidence, count)
    critical = np.full(leaders, most)
    if leaders < 2:
        return critical
    error *= (leaders - 1) / (count - 1)
    for i in range(leaders):
        ahead = np.delete(draws, i, axis=1) - draws[:, i : i + 1]
        spread = ahead.std(axis=0)
        if spread.any():
            largest = (ahead[:, spread > 0] / spread[spread > 0]).max(axis=1)
            critical[i] = np.clip(np.quantile(largest, 1 - error), norm.isf(error), most)
    return critical


def _probability_best(means: Array, draws: Array, freedom: float) -> Array:
    """Return how often each has the highest mean in draws of what the true means may be: its share of a flat posterior.

    The draws have the tails of a t distribution with the degrees of freedom of the differences to the best.
    """
    generator = np.random.default_rng(20_261_125)
    wide = freedom < 1e6  # else it is a normal distribution
    wider = np.sqrt(freedom / generator.chisquare(freedom, (len(draws), 1))) if wide else np.ones((1, 1))
    possible = means + draws * wider
    # equals share what they have in common
    highest = possible == possible.max(axis=1, keepdims=True)
    shares: Array = (highest / highest.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _seeds_needed(parts: Parts, ahead: Array, critical: Array, rivals: Sequence[int]) -> int | None:
    """Return how many more seeds would make every tied difference to the best as large as it must be, 4 times of 5."""
    if not rivals:
        return 0
    if parts.seeds == 1:
        return None
    seed, row, rest = (part.of_differences()[0] for part in (parts.seed, parts.row, parts.rest))
    wanted = 0.0
    for k in rivals:
        of_seeds = max(seed[k], rest[k] / parts.rows)  # Σa + Σe/R, which more seeds divide
        of_rows = max(row[k] - rest[k] / parts.seeds, 0.0) / parts.rows  # Σb/R, which they do not
        room = (ahead[k] / (critical[k] + norm.isf(0.2))) ** 2 - of_rows
        wanted = max(wanted, of_seeds / room if room > 0 else inf)
    return None if wanted > _TOO_MANY else max(1, ceil(wanted) - parts.seeds)
