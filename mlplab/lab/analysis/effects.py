"""The result of each experiment: the effects of its settings, and their interactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from mlplab.lab.analysis.contrasts import Contrast, difference_of_means, mean_of_contrasts, values_by_seed
from mlplab.lab.analysis.findings import Configuration, Difference, Effect, ExperimentResult, Interaction
from mlplab.lab.analysis.ranking import ValidationValues, rank_configurations, value_of
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Experiment
from mlplab.lab.spec.trial import describe_value
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.metrics.base import Metric
from mlplab.utils.text import DIGITS


def analyze_experiment(
    experiment: Experiment,
    rows: Sequence[ResultRow],
    varying: Sequence[str],
    row_values: ValidationValues,
    compared: Sequence[Configuration],
) -> ExperimentResult:
    """Return the result of an experiment: its configurations, and the effect of each setting of its grid.

    Args:
        experiment: the experiment.
        rows: the result rows of all experiments.
        varying: the settings that differ within the suite.
        row_values: the values of the metric.
        compared: all configurations, with their intervals.
    """
    intervals = {configuration.trial: configuration.interval for configuration in compared}
    own = [row for row in rows if row.experiment == experiment]
    done = [row for row in own if row.status == Status.DONE]
    metric = row_values.metric
    names = [name for name in varying if len(experiment.grid.get(name, ())) > 1]
    ranked = rank_configurations(done, metric, [name for name in varying if name in experiment.varied])
    effects = [_effect(name, experiment, own, row_values) for name in names]
    interactions = [_interaction(a, b, experiment, own, row_values) for a in names for b in names if a != b]
    return ExperimentResult(
        experiment.name,
        experiment.title,
        tuple(replace(configuration, interval=intervals.get(configuration.trial)) for configuration in ranked),
        tuple(effect for effect in effects if effect),
        tuple(interaction for interaction in interactions if interaction),
    )


def _effect(
    setting: str, experiment: Experiment, rows: Sequence[ResultRow], row_values: ValidationValues
) -> Effect | None:
    """Return the effect of a setting over the combinations of the others in which every value is done, if any."""
    values = list(dict.fromkeys(experiment.grid[setting]))
    complete = _blocks([setting], [(v,) for v in values], rows)
    if not complete:
        return None
    metric = row_values.metric
    # rounded, so that equal means compare as equal in whatever order they were summed
    means = {v: round(_mean(complete, (v,), metric), DIGITS) for v in values}
    parameters = {v: sum(r.parameters for b in complete if (r := b.rows[v,].result)) for v in values}
    ranked = sorted(values, key=lambda v: (-metric.score(means[v]), parameters[v]))
    trend = _trend(setting, means)

    row_means = values_by_seed([[Contrast(b.seed, {b.trial(v): 1}) for b in complete] for v in ranked], row_values)

    def difference(i: int, j: int, comparisons: int) -> Difference:
        return difference_of_means(row_means, i, j, comparisons)

    # if the means only rise or only fall, their order is that of the sizes
    last = len(values) - 1
    steps = [difference(k, k + 1, last) for k in range(last)] if trend in ("rises", "falls") else []
    return Effect(
        setting,
        tuple((describe_value(v), means[v]) for v in ranked),
        difference(0, last, comb(len(values), 2)),
        trend,
        sum(step.clear for step in steps),
    )


def _interaction(
    setting: str, other: str, experiment: Experiment, rows: Sequence[ResultRow], row_values: ValidationValues
) -> Interaction | None:
    """Return how the best value of a setting depends on another setting; None if no dependence is significant.

    Two values of the other setting whose best values differ are evidence if, with each of them, its own best value is
    significantly better than the best value of the other. The result holds the largest difference of differences.
    """
    own, others = (list(dict.fromkeys(experiment.grid[name])) for name in (setting, other))
    complete = _blocks([setting, other], [(v, w) for v in own for w in others], rows)
    if not complete:
        return None
    metric = row_values.metric
    means = {(v, w): _mean(complete, (v, w), metric) for v in own for w in others}
    best = {w: max(own, key=lambda v: metric.score(means[v, w])) for w in others}
    pairs_of_settings = 2 * comb(sum(len(values) > 1 for values in experiment.grid.values()), 2)
    comparisons = comb(len(own), 2) * comb(len(others), 2) * pairs_of_settings

    def contrast(weights: Mapping[tuple[Any, Any], int]) -> Difference:
        contrasts = [
            Contrast(b.seed, {b.trial(*values): weight for values, weight in weights.items()}) for b in complete
        ]
        return mean_of_contrasts(contrasts, row_values, comparisons)

    clear = []
    for w, x in combinations(others, 2):
        at_w, at_x = {(best[w], w): 1, (best[x], w): -1}, {(best[x], x): 1, (best[w], x): -1}
        if best[w] != best[x] and contrast(at_w).clear and contrast(at_x).clear:
            clear.append(contrast({**at_w, **at_x}))
    if not clear:
        return None
    best_values = tuple((describe_value(w), describe_value(best[w])) for w in others)
    return Interaction(setting, other, best_values, max(clear, key=lambda difference: metric.score(difference.value)))


@dataclass(frozen=True)
class _Block:
    """Trials with the same seed that differ only in some settings.

    Attributes:
        seed: their seed. rows: their result rows, by the values of those settings.
    """

    seed: int
    rows: Mapping[tuple[Any, ...], ResultRow]

    def trial(self, *values: Any) -> str:
        """Return the id of the trial with these values."""
        return self.rows[values].trial.id


def _blocks(settings: Sequence[str], values: Sequence[tuple[Any, ...]], rows: Sequence[ResultRow]) -> list[_Block]:
    """Return a block for every seed and combination of the other settings in which all the values are done."""
    blocks: dict[tuple[int, str], dict[tuple[Any, ...], ResultRow]] = {}
    for row in rows:
        others = sorted((name, value) for name, value in row.trial.settings.items() if name not in settings)
        block = blocks.setdefault((row.trial.seed, repr(others)), {})
        block[tuple(row.trial[name] for name in settings)] = row
    return [
        _Block(seed, block)
        for (seed, _), block in blocks.items()
        if all(v in block and block[v].status == Status.DONE for v in values)
    ]


def _mean(blocks: Sequence[_Block], values: tuple[Any, ...], metric: Metric) -> float:
    """Return the mean of the metric for some values over the blocks; all seeds have the same weight."""
    by_seed: dict[int, list[float]] = {}
    for block in blocks:
        by_seed.setdefault(block.seed, []).append(value_of(block.rows[values], metric))
    return float(np.mean([np.mean(measured) for measured in by_seed.values()]))


def _trend(setting: str, means: Mapping[Any, float]) -> str | None:
    """Return whether the means rise or fall with a numeric setting or the number of hidden units; None for others."""
    sizes = {v: sum(v) if isinstance(v, tuple) else v for v in means}
    if any(not isinstance(size, int | float) or isinstance(size, bool) for size in sizes.values()):
        return None
    if setting == "hidden_layer_sizes" and len(set(sizes.values())) < len(sizes):
        return None
    ordered = [means[v] for v in sorted(means, key=lambda v: sizes[v])]
    steps = np.diff(ordered)
    return "rises" if (steps > 0).all() else "falls" if (steps < 0).all() else "mixed"
