"""Configurations with their measures over the seeds, the best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import RunFolderError
from mlplab.lab.analysis.findings import Configuration, Exploration
from mlplab.lab.spec.trial import Trial, describe_setting
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.stats.comparison import Comparison, compare_configurations
from mlplab.utils.text import DIGITS

#: Returns a trial's validation rows, by number, and whether its network was right in each.
Correct = Callable[[str], tuple[Array, Array]]
#: How many of the best are compared at all.
COMPARED = 500


def rank_configurations(done: Sequence[ResultRow], varying: Sequence[str] = ()) -> list[Configuration]:
    """Return the configurations of trials that were done, the best first.

    The best has the highest mean validation accuracy; of equals it is the smaller, then the one with the lower loss. A
    configuration that lacks seeds which others have (one diverged, say) comes after them: its mean is of lucky ones.
    """
    found = _configurations(done, varying)
    seeds = max((c.seeds for c in found), default=0)
    return sorted(found, key=lambda c: (c.seeds < seeds, -round(c.val_accuracy, DIGITS), c.parameters, c.val_loss))


def with_the_seeds_of_the_best(ranked: Sequence[Configuration], done: Sequence[ResultRow]) -> list[Configuration]:
    """Return those of the ranked configurations that were trained with the seeds of the first one."""
    seeds = {first: [trial.seed for trial in trials] for first, trials in networks_of(done).items()}
    return [c for c in ranked if seeds[c.trial] == seeds[ranked[0].trial]]


def networks_of(done: Sequence[ResultRow]) -> dict[str, list[Trial]]:
    """Return the trials of every configuration, a seed each, by the id of its first one."""
    groups: dict[str, dict[int, Trial]] = {}
    for row in done:
        groups.setdefault(row.trial.configuration, {})[row.trial.seed] = row.trial
    ordered = ([seeds[seed] for seed in sorted(seeds)] for seeds in groups.values())
    return {trials[0].id: trials for trials in ordered}


def _configurations(rows: Sequence[ResultRow], varying: Sequence[str]) -> list[Configuration]:
    groups: dict[str, dict[str, ResultRow]] = {}
    for row in rows:
        groups.setdefault(row.trial.configuration, {})[row.trial.id] = row
    return [_summarize(list(group.values()), varying) for group in groups.values()]


def _summarize(rows: list[ResultRow], varying: Sequence[str]) -> Configuration:
    results = [row.result for row in rows if row.result]
    accuracies = [result.val_accuracy or 0.0 for result in results]
    return Configuration(
        name=name_of(rows[0].trial, varying),
        label=rows[0].label,
        trial=rows[0].trial.id,
        seeds=len(rows),
        val_accuracy=float(np.mean(accuracies)),
        val_loss=float(np.mean([result.val_loss for result in results])),
        spread=float(np.std(accuracies, ddof=1)) if len(rows) > 1 else None,
        parameters=results[0].parameters,
        seconds=float(np.mean([result.seconds for result in results])),
    )


def accuracy_of(row: ResultRow) -> float:
    """Return the validation accuracy of a trial that was done."""
    assert row.result is not None
    assert row.result.val_accuracy is not None
    return row.result.val_accuracy


def name_of(trial: Trial, varying: Iterable[str]) -> str:
    """Return the settings that vary, in words: ``1024-512, lr 0.01``."""
    return ", ".join(describe_setting(name, trial[name]) for name in varying) or "only configuration"


def explore(rows: Sequence[ResultRow], varying: Sequence[str]) -> Exploration | None:
    """Return what a search tried, from its rows; None where there was none."""
    results = {row.trial.id: row.result for row in rows if row.result}
    if not results:
        return None
    reached = Counter(result.epochs for result in results.values())
    found = _configurations([row for row in rows if row.status.is_measured], varying)
    ranked = sorted(found, key=lambda c: (-c.val_accuracy, -results[c.trial].epochs, c.val_loss))
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
    correct: Correct,
    *,
    confidence: float = 0.95,
    margin: float = 0.0,
) -> Comparison:
    """Compare configurations that have the same seeds.

    Args:
        names: what to call them, all different. done: the rows that they are made of. correct: reads right answers.
    """
    networks = networks_of(done)
    answers = [[correct(trial.id) for trial in networks[c.trial]] for c in configurations]
    rows = answers[0][0][0]
    if not all(np.array_equal(numbers, rows) for answer in answers for numbers, _ in answer):
        raise RunFolderError("the networks were not validated on the same rows: they cannot be compared")
    return compare_configurations(
        np.array([[right for _, right in answer] for answer in answers]),
        names,
        confidence=confidence,
        parameters=[c.parameters for c in configurations],
        margin=margin,
    )
