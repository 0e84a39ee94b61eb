"""The effect of depth, over all experiments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb

import numpy as np

from mlplab.lab.analysis.contrasts import Contrast, difference_of_means, values_by_seed
from mlplab.lab.analysis.findings import DepthComparison
from mlplab.lab.analysis.ranking import ValidationValues, name_of, value_of
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.training.settings import layer_widths


def compare_depths(
    done: Sequence[ResultRow], others: Sequence[str], row_values: ValidationValues
) -> Iterator[DepthComparison]:
    """Compare depths over trials of all experiments that differ only in `hidden_layer_sizes`.

    Yields one comparison for each combination of the other settings. It uses the seeds that all its configurations
    have.

    Args:
        done: the result rows to compare.
        others: the other settings that vary.
        row_values: the values of the metric.
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
            depth: float(
                np.mean([value_of(rows[seed], row_values.metric) for rows in depths[depth].values() for seed in seeds])
            )
            for depth in sorted(depths)
        }
        ranked = sorted(means, key=lambda depth: -row_values.metric.score(means[depth]))
        values = values_by_seed(
            [
                [Contrast(seed, {rows[seed].trial.id: 1}) for rows in depths[depth].values() for seed in seeds]
                for depth in ranked
            ],
            row_values,
        )
        yield DepthComparison(
            name,
            tuple((depth, mean, len(depths[depth])) for depth, mean in means.items()),
            len(seeds),
            ranked[0],
            difference_of_means(values, 0, -1, comb(len(depths), 2)),
        )
