"""Measures of configurations over their seeds, and the ranking of configurations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import RunFolderError
from mlplab.lab.analysis.findings import Configuration, Exploration
from mlplab.lab.spec.trial import Trial, describe_setting
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.metrics import Metric
from mlplab.training.settings import SETTINGS
from mlplab.utils.text import DIGITS

if TYPE_CHECKING:  # SciPy's statistics take half a second to import
    from mlplab.stats.comparison import Comparison

#: At most this many configurations are compared: the best ones.
MAX_COMPARED = 500


@dataclass(frozen=True)
class ValidationValues:
    """The value of the metric in each validation row, by trial.

    Attributes:
        metric: the metric.
        read: returns the numbers of a trial's validation rows, (rows,), and the value in each row, (rows,).
    """

    metric: Metric
    read: Callable[[str], tuple[Array, Array]]

    @classmethod
    def of(cls, results: Results) -> ValidationValues:
        """Return the values of a suite's metric; each trial is read only once."""
        metric = results.suite.measure

        def read(trial_id: str) -> tuple[Array, Array]:
            predictions = results.folder.read_predictions(trial_id, probabilities=metric.needs == "probabilities")
            return predictions.rows, predictions.row_values(metric)

        return cls(metric, cache(read))

    def __call__(self, trial_id: str) -> Array:
        """Return the value in each row, (rows,)."""
        return self.read(trial_id)[1]

    def rows(self, trial_id: str) -> Array:
        """Return the numbers of the rows, (rows,)."""
        return self.read(trial_id)[0]


def rank_configurations(done: Sequence[ResultRow], metric: Metric, varying: Sequence[str] = ()) -> list[Configuration]:
    """Return the configurations of finished trials, the best first.

    Configurations are ranked by their mean validation value; ties are broken by fewer parameters, then by lower loss.
    A configuration that lacks some seeds, because a training diverged for example, comes after all complete ones: its
    mean covers only the successful seeds.
    """
    found = _configurations(done, metric, varying)
    seeds = max((c.seeds for c in found), default=0)
    return sorted(found, key=lambda c: (c.seeds < seeds, -_rank(c, metric), c.parameters, c.val_loss))


def _rank(configuration: Configuration, metric: Metric) -> float:
    """Return the score of the mean value, rounded so that equal means compare as equal; larger is better."""
    return metric.score(round(configuration.value, DIGITS))


def select_comparable(ranked: Sequence[Configuration], done: Sequence[ResultRow]) -> list[Configuration]:
    """Return the ranked configurations that were trained with the same seeds as the first one."""
    seeds = {first: [trial.seed for trial in trials] for first, trials in networks_of(done).items()}
    return [c for c in ranked if seeds[c.trial] == seeds[ranked[0].trial]]


def networks_of(done: Sequence[ResultRow]) -> dict[str, list[Trial]]:
    """Return the trials of each configuration in order of their seeds, by the id of the first trial."""
    groups: dict[str, dict[int, Trial]] = {}
    for row in done:
        groups.setdefault(row.trial.configuration, {})[row.trial.seed] = row.trial
    ordered = ([seeds[seed] for seed in sorted(seeds)] for seeds in groups.values())
    return {trials[0].id: trials for trials in ordered}


def group_by_configuration(rows: Iterable[ResultRow]) -> dict[str, list[ResultRow]]:
    """Return the rows of each configuration, each trial once, in the order of the rows."""
    groups: dict[str, dict[str, ResultRow]] = {}
    for row in rows:
        groups.setdefault(row.trial.configuration, {})[row.trial.id] = row
    return {configuration: list(trials.values()) for configuration, trials in groups.items()}


def _configurations(rows: Sequence[ResultRow], metric: Metric, varying: Sequence[str]) -> list[Configuration]:
    return [_summarize(group, metric, varying) for group in group_by_configuration(rows).values()]


def _summarize(rows: list[ResultRow], metric: Metric, varying: Sequence[str]) -> Configuration:
    results = [row.result for row in rows if row.result]
    values = [value_of(row, metric) for row in rows]
    return Configuration(
        name=name_of(rows[0].trial, varying),
        label=rows[0].label,
        trial=rows[0].trial.id,
        seeds=len(rows),
        value=float(np.mean(values)),
        val_loss=float(np.mean([result.val_loss for result in results])),
        spread=float(np.std(values, ddof=1)) if len(rows) > 1 else None,
        parameters=results[0].parameters,
        seconds=float(np.mean([result.seconds for result in results])),
    )


def value_of(row: ResultRow, metric: Metric) -> float:
    """Return the validation value of a trial that has measures.

    Raises:
        RunFolderError: if the value is not stored.
    """
    value: float | None = getattr(row.result, metric.column, None)
    if value is None:
        raise RunFolderError(f"{row.label}: the validation {metric.name} is missing; run the suite again")
    return value


def name_of(trial: Trial, varying: Iterable[str]) -> str:
    """Return the settings that vary in words, in a fixed order: ``1024-512, lr 0.01``."""
    names = sorted(varying, key=list(SETTINGS).index)
    return ", ".join(describe_setting(name, trial[name]) for name in names) or "only configuration"


def explore(rows: Sequence[ResultRow], metric: Metric, varying: Sequence[str]) -> Exploration | None:
    """Return a summary of the configurations that a search tried, from its rows; None without results."""
    results = {row.trial.id: row.result for row in rows if row.result}
    if not results:
        return None
    reached = Counter(result.epochs for result in results.values())
    found = _configurations([row for row in rows if row.status.is_measured], metric, varying)
    ranked = sorted(found, key=lambda c: (-metric.score(c.value), -results[c.trial].epochs, c.val_loss))
    return Exploration(
        tried=len(results),
        epochs=sum(result.epochs for result in results.values()),
        reached=tuple(sorted(reached.items(), reverse=True)),
        whole=max(row.trial["max_iter"] for row in rows),
        configurations=tuple((c, r.epochs) for c in ranked if (r := results[c.trial])),
    )


def compare_ranked(
    configurations: Sequence[Configuration],
    names: Sequence[str],
    done: Sequence[ResultRow],
    row_values: ValidationValues,
    *,
    confidence: float = 0.95,
    margin: float = 0.0,
) -> Comparison:
    """Compare configurations that have the same seeds.

    Args:
        configurations: at least one, the best first.
        names: a distinct name for each.
        done: the result rows of their trials.
        row_values: the values of the metric.
        confidence, margin: see `mlplab.stats.comparison.compare_configurations`.

    Raises:
        RunFolderError: if they were not validated on the same rows.
    """
    from mlplab.stats.comparison import compare_configurations

    networks = networks_of(done)
    trials = [[trial.id for trial in networks[c.trial]] for c in configurations]
    rows = row_values.rows(trials[0][0])
    if not all(np.array_equal(row_values.rows(trial), rows) for seeds in trials for trial in seeds):
        raise RunFolderError("the networks cannot be compared because they were validated on different rows")
    return compare_configurations(
        np.array([[row_values(trial) for trial in seeds] for seeds in trials]),
        names,
        confidence=confidence,
        parameters=[c.parameters for c in configurations],
        margin=margin,
    )
