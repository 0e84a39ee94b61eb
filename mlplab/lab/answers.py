"""What each experiment showed: what its settings did, and which of them depend on one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from mlplab.engine.numpy_engine import Array
from mlplab.lab.findings import DIGITS, Answer, Configuration, DepthComparison, Difference, Effect, Interaction
from mlplab.lab.ranking import name_of, rank_configurations
from mlplab.lab.store import ResultRow
from mlplab.lab.suite import Experiment
from mlplab.lab.trial import describe_value
from mlplab.training.settings import layer_widths

#: Returns a trial's validation rows, by number, and whether its network was right in each.
Correct = Callable[[str], tuple[Array, Array]]


def answer(
    experiment: Experiment,
    rows: Sequence[ResultRow],
    varying: Sequence[str],
    correct: Correct,
    compared: Sequence[Configuration],
) -> Answer:
    """Say what an experiment showed: its configurations, and what each setting of its grid did.

    Args:
        rows: of all experiments. varying: the settings that differ within the suite. correct: reads right answers.
        compared: all configurations, with their intervals.
    """
    intervals = {configuration.trial: configuration.interval for configuration in compared}
    mine = [row for row in rows if row.experiment == experiment]
    done = [row for row in mine if row.status == "done"]
    names = [name for name in varying if len(experiment.grid.get(name, ())) > 1]
    ranked = rank_configurations(done, [name for name in varying if name in experiment.varied])
    effects = [_effect(name, experiment, mine, correct) for name in names]
    interactions = [_interaction(a, b, experiment, mine, correct) for a in names for b in names if a != b]
    return Answer(
        experiment.name,
        experiment.title,
        tuple(replace(configuration, interval=intervals.get(configuration.trial)) for configuration in ranked),
        tuple(effect for effect in effects if effect),
        tuple(interaction for interaction in interactions if interaction),
    )


def _effect(setting: str, experiment: Experiment, rows: Sequence[ResultRow], correct: Correct) -> Effect | None:
    """Compare the values of one setting over those combinations of the others for which every value was done."""
    values = list(dict.fromkeys(experiment.grid[setting]))
    complete = _blocks([setting], [(v,) for v in values], rows)
    if not complete:
        return None
    # rounded, so that equal means are equal whatever the order of their sums
    means = {v: round(_mean(complete, (v,)), DIGITS) for v in values}
    parameters = {v: sum(r.parameters for b in complete if (r := b[v,].result)) for v in values}
    ranked = sorted(values, key=lambda v: (-means[v], parameters[v]))
    trend = _trend(setting, means)

    answers = _by_seed([[(b[v,].trial.seed, {b[v,].trial.id: 1}) for b in complete] for v in ranked], correct)

    def ahead(i: int, j: int, looked_at: int) -> Difference:
        return _difference_of_two(answers, i, j, looked_at)

    # where it rises or falls all along, the order of the means is that of the sizes
    last = len(values) - 1
    steps = [ahead(k, k + 1, last) for k in range(last)] if trend in ("rises", "falls") else []
    return Effect(
        setting,
        tuple((describe_value(v), means[v]) for v in ranked),
        ahead(0, last, comb(len(values), 2)),
        trend,
        sum(step.clear for step in steps),
    )


def _interaction(
    setting: str, other: str, experiment: Experiment, rows: Sequence[ResultRow], correct: Correct
) -> Interaction | None:
    """Look whether the best value of a setting depends on another one; None where it does not, clearly.

    For every pair of values of the other that want different ones, each must clearly do better with its own than with
    the one that its partner wants; what is told is the difference of the two differences, where that is largest.
    """
    mine, others = (list(dict.fromkeys(experiment.grid[name])) for name in (setting, other))
    complete = _blocks([setting, other], [(v, w) for v in mine for w in others], rows)
    if not complete:
        return None
    means = {(v, w): _mean(complete, (v, w)) for v in mine for w in others}
    best = {w: max(mine, key=lambda v: means[v, w]) for w in others}
    pairs_of_settings = 2 * comb(sum(len(values) > 1 for values in experiment.grid.values()), 2)
    possible = comb(len(mine), 2) * comb(len(others), 2) * pairs_of_settings

    def contrast(signs: Mapping[tuple[Any, Any], int]) -> Difference:
        weights = [
            (next(iter(b.values())).trial.seed, {b[k].trial.id: sign for k, sign in signs.items()}) for b in complete
        ]
        return _difference(weights, correct, possible)

    clear = []
    for w, x in combinations(others, 2):
        at_w, at_x = {(best[w], w): 1, (best[x], w): -1}, {(best[x], x): 1, (best[w], x): -1}
        if best[w] != best[x] and contrast(at_w).clear and contrast(at_x).clear:
            clear.append(contrast({**at_w, **at_x}))
    if not clear:
        return None
    chosen = tuple((describe_value(w), describe_value(best[w])) for w in others)
    return Interaction(setting, other, chosen, max(clear, key=lambda difference: difference.points))


def _blocks(
    settings: Sequence[str], values: Sequence[tuple[Any, ...]], rows: Sequence[ResultRow]
) -> list[dict[tuple[Any, ...], ResultRow]]:
    """Return the rows by value, for every seed and combination of the other settings that has all the values done."""
    blocks: dict[str, dict[tuple[Any, ...], ResultRow]] = {}
    for row in rows:
        given = sorted((name, value) for name, value in row.trial.settings.items() if name not in settings)
        others = repr((row.trial.seed, given))
        blocks.setdefault(others, {})[tuple(row.trial[name] for name in settings)] = row
    return [b for b in blocks.values() if all(v in b and b[v].status == "done" for v in values)]


def _mean(blocks: Sequence[Mapping[tuple[Any, ...], ResultRow]], values: tuple[Any, ...]) -> float:
    """Return the mean accuracy of some values over the blocks, every seed counting the same."""
    of_seeds: dict[int, list[float]] = {}
    for block in blocks:
        of_seeds.setdefault(block[values].trial.seed, []).append(_accuracy(block[values]))
    return float(np.mean([np.mean(accuracies) for accuracies in of_seeds.values()]))


def _accuracy(row: ResultRow) -> float:
    return (row.result.val_accuracy if row.result else None) or 0.0


def _trend(setting: str, means: Mapping[Any, float]) -> str | None:
    """Say whether the accuracy rises or falls with a number, or with the units of hidden layers."""
    sizes = {v: sum(v) if isinstance(v, tuple) else v for v in means}
    if any(not isinstance(size, int | float) or isinstance(size, bool) for size in sizes.values()):
        return None
    if setting == "hidden_layer_sizes" and len(set(sizes.values())) < len(sizes):
        return None
    ordered = [means[v] for v in sorted(means, key=lambda v: sizes[v])]
    steps = np.diff(ordered)
    return "rises" if (steps > 0).all() else "falls" if (steps < 0).all() else "mixed"


def compare_depths(done: Sequence[ResultRow], others: Sequence[str], correct: Correct) -> Iterator[DepthComparison]:
    """Compare depths among trials of all experiments that differ in `hidden_layer_sizes` alone.

    Seeds that a configuration lacks are left out for all.
    """
    groups: dict[str, dict[int, dict[str, dict[int, ResultRow]]]] = {}
    for row in done:
        depth = len(layer_widths(row.trial["hidden_layer_sizes"]))
        configurations = groups.setdefault(name_of(row.trial, others), {}).setdefault(depth, {})
        configurations.setdefault(row.trial.configuration, {})[row.trial.seed] = row
    for name, depths in groups.items():
        by_seed = [rows for configurations in depths.values() for rows in configurations.values()]
        seeds = sorted(set.intersection(*(set(rows) for rows in by_seed)))
        if len(depths) < 2 or not seeds:
            continue
        means = {
            depth: float(np.mean([_accuracy(rows[seed]) for rows in depths[depth].values() for seed in seeds]))
            for depth in sorted(depths)
        }
        ranked = sorted(means, key=lambda depth: -means[depth])
        answers = _by_seed(
            [
                [(seed, {rows[seed].trial.id: 1}) for rows in depths[depth].values() for seed in seeds]
                for depth in ranked
            ],
            correct,
        )
        yield DepthComparison(
            name,
            tuple((depth, mean, len(depths[depth])) for depth, mean in means.items()),
            len(seeds),
            ranked[0],
            _difference_of_two(answers, 0, -1, comb(len(depths), 2)),
        )


def _difference(
    contrasts: Sequence[tuple[int, Mapping[str, float]]], correct: Correct, looked_at: int = 1
) -> Difference:
    """Return the mean of contrasts, with its margin.

    Args:
        contrasts: each a seed, and trials of it with the weight that their right answers have.
        looked_at: out of how many it was picked: its error is as small as all of them need together (Bonferroni).
    """
    from mlplab.lab.crossed import mean_difference

    (answers,) = _by_seed([contrasts], correct)
    means = max(len(weights) for _, weights in contrasts)
    points, margin = mean_difference(answers, 1 - 0.05 / looked_at, means=means)
    return Difference(100 * points, 100 * margin, len(answers))


def _difference_of_two(answers: Array, of: int, to: int, looked_at: int) -> Difference:
    """Return how far one mean is ahead of another; `answers` are those of all there are, (means, seeds, rows)."""
    from mlplab.lab.crossed import difference_of_two

    points, margin = difference_of_two(answers, of, to, 1 - 0.05 / looked_at)
    return Difference(100 * points, 100 * margin, answers.shape[1])


def _by_seed(means: Sequence[Sequence[tuple[int, Mapping[str, float]]]], correct: Correct) -> Array:
    """Return right answers, or contrasts of them, (means, seeds, rows): averaged over those of the same seed."""
    return np.array([_average(contrasts, correct) for contrasts in means])


def _average(contrasts: Sequence[tuple[int, Mapping[str, float]]], correct: Correct) -> list[Array]:
    of_seeds: dict[int, list[Array]] = {}
    for seed, weights in contrasts:
        d = sum(weight * correct(trial)[1].astype(np.float64) for trial, weight in weights.items())
        of_seeds.setdefault(seed, []).append(np.asarray(d))
    return [np.mean(of_seeds[seed], axis=0) for seed in sorted(of_seeds)]
