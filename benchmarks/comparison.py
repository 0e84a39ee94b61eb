"""How often `compare_configurations` is wrong: ``python -m benchmarks.comparison [--studies N]``.

Studies with a known truth are made up and compared. Whether a configuration is right in a row with a seed depends on
how hard the row is for all, how hard for this configuration, what the seed drew, and on chance, all normal. In half of
the studies all configurations are equally good: then one alone should hardly ever be left over, and each of them, being
the best as good as any, should hardly ever be given up. In the other half each is 0.1 points behind the one before it:
then the first should be among the tied. Leaves ``comparison.md`` in `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import norm

from mlplab.engine.cpu import usable_cores
from mlplab.lab import compare_configurations

_RESULTS = Path(__file__).parent / "results"
#: Standard deviations of how hard a row is: for all, for one configuration, for one seed of it.
_ROW, _OWN, _CHANCE = 1.5, 0.7, 0.7


@dataclass(frozen=True)
class Kind:
    """A kind of study: how many configurations, seeds and rows, and by how many points the seeds scatter.

    scatter_of_first: by how many points those of the first one scatter; None like those of the others.
    accuracy: of all. Near 1, one that scatters does well with most seeds, and badly with few.
    """

    configurations: int
    seeds: int
    rows: int
    scatter: float
    scatter_of_first: float | None = None
    accuracy: float = 0.975


KINDS = [
    *(Kind(2, s, 3000, 0.06) for s in (1, 2, 3, 5, 10)),
    *(Kind(8, s, 3000, 0.06) for s in (1, 2, 3, 5, 10)),
    *(Kind(32, s, 3000, 0.06) for s in (1, 3)),
    *(Kind(c, s, 3000, 0.3) for c, s in product((2, 8), (2, 3, 10))),
    *(Kind(8, s, 3000, 0.06, 0.5) for s in (2, 3, 5)),
    *(Kind(c, s, 3000, 0.06, 3.0, 0.7) for c, s in product((4, 8), (2, 3))),
    *(Kind(4, s, 3000, 0.06, 3.0) for s in (2, 3, 5)),
]


def make_study(kind: Kind, behind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return whether each answer is right, (configurations, seeds, rows); `behind` the first, in points."""
    spread = float(np.sqrt(_ROW**2 + _OWN**2 + _CHANCE**2))
    ease_of_all = norm.ppf(kind.accuracy)
    point = 0.01 * spread / norm.pdf(ease_of_all)  # of accuracy, on the scale of what is added up
    shape = (kind.configurations, kind.seeds, kind.rows)
    ease = _CHANCE * rng.standard_normal(shape, np.float32)
    ease += _ROW * rng.standard_normal((1, 1, kind.rows), np.float32)
    ease += _OWN * rng.standard_normal((kind.configurations, 1, kind.rows), np.float32)
    scatter = np.full((kind.configurations, 1, 1), kind.scatter)
    if kind.scatter_of_first is not None:
        scatter[0] = kind.scatter_of_first
    ease += scatter * point * rng.standard_normal((kind.configurations, kind.seeds, 1))
    threshold = ease_of_all * np.sqrt(spread**2 + (scatter * point) ** 2)  # over all seeds they are as good
    return ease + (threshold - behind[:, None, None] * point) > 0


@dataclass(frozen=True)
class Found:
    """What studies of a kind came to: shares of the studies.

    Attributes:
        alone: of equals, one alone was left. given_up: of equals, the first one was not among the tied.
        among: the best was among the tied. tied: how many those were, on average.
    """

    alone: float
    given_up: float
    among: float
    tied: float


def run(kind: Kind, studies: int, seed: int) -> Found:
    """Make so many studies of equals, and as many of configurations that are not."""
    rng = np.random.default_rng(seed)
    names = [str(k) for k in range(kind.configurations)]
    equal, steps = np.zeros(kind.configurations), 0.1 * np.arange(kind.configurations)
    equals = [compare_configurations(make_study(kind, equal, rng), names).tied for _ in range(studies)]
    tied = [compare_configurations(make_study(kind, steps, rng), names).tied for _ in range(studies)]
    return Found(
        alone=float(np.mean([len(t) == 1 for t in equals])),
        given_up=float(np.mean(["0" not in t for t in equals])),
        among=float(np.mean(["0" in t for t in tied])),
        tied=float(np.mean([len(t) for t in tied])),
    )


def table(kinds: Iterable[Kind], studies: int) -> str:
    """Run all kinds of studies and return their table."""
    kinds = list(kinds)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of each process: the threads of several would wait for one another
    with ProcessPoolExecutor(usable_cores(), get_context("spawn")) as pool:
        found = list(pool.map(run, kinds, [studies] * len(kinds), range(len(kinds))))
    lines = [
        "| configurations | accuracy | seeds | seeds scatter by | of equals, one alone is left | the first is given up "
        "| the best is among the tied | tied on average |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, one in zip(kinds, found, strict=True):
        first = "" if kind.scatter_of_first is None else f", of the first {kind.scatter_of_first:g}"
        lines.append(
            f"| {kind.configurations} | {100 * kind.accuracy:g} % | {kind.seeds} | {kind.scatter:g} points{first} "
            f"| {one.alone:.1%} | {one.given_up:.1%} | {one.among:.1%} | {one.tied:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Make the table, write it, print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="of each kind and truth  [default: 1000]")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results")
    options = parser.parse_args()
    page = "\n".join(
        [
            "# How often the comparison is wrong",
            "",
            f"For every line {options.studies:,} studies with all equal, and {options.studies:,} with each 0.1 points "
            "behind the one before it; 3,000 rows, confidence 95 %.",
            "",
            table(KINDS, options.studies),
            "",
        ]
    )
    (options.out / "comparison.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
