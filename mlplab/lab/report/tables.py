"""The tables that figures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.lab.analysis.ranking import name_of, rank_configurations
from mlplab.lab.spec.space import Choices, Dimension, Range
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Experiment, Suite
from mlplab.lab.spec.trial import describe_value
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.plots.curves import CurveSet

#: How many configurations of an experiment are drawn, the best ones: as many as there are lines that differ.
MOST = 32


def heading(experiment: Experiment, rows: Sequence[ResultRow]) -> str:
    """Return an experiment's title, with how many of its configurations are drawn unless it is all."""
    count = len(_ended(experiment, rows))
    return experiment.title + (f" (the best {MOST} of {count:,})" if count > MOST else "")


def curves_heading(experiment: Experiment, rows: Sequence[ResultRow]) -> str:
    """Return the same with what the bands are, where there are any."""
    seeds = max((len(group) for group in _ended(experiment, rows).values()), default=0)
    bands = f"\nmeans of {seeds} seeds, in bands from the lowest to the highest" if seeds > 1 else ""
    return heading(experiment, rows) + bands


def _ended(experiment: Experiment, rows: Sequence[ResultRow]) -> dict[str, list[ResultRow]]:
    """Return the rows of every configuration of an experiment that has a result, in the order of its grid."""
    groups: dict[str, list[ResultRow]] = {}
    for row in rows:
        if row.experiment == experiment and row.status in (Status.DONE, Status.DIVERGED, Status.PAUSED):
            groups.setdefault(row.trial.configuration, []).append(row)
    return groups


def _drawn(experiment: Experiment, rows: Sequence[ResultRow]) -> list[list[ResultRow]]:
    """Return the rows of the `MOST` best of these configurations, in the order of the grid."""
    groups = _ended(experiment, rows)
    ranked = rank_configurations([row for group in groups.values() for row in group if row.status != Status.DIVERGED])
    rank = {configuration.trial: k for k, configuration in enumerate(ranked)}
    best = sorted(groups, key=lambda key: min(rank.get(row.trial.id, len(rank)) for row in groups[key]))[:MOST]
    return [group for key, group in groups.items() if key in best]


def experiment_curves(folder: RunFolder, experiment: Experiment, rows: Sequence[ResultRow]) -> list[CurveSet]:
    """Return the curves of an experiment's best configurations, in the order of its grid, the best one marked."""
    done = [row for row in rows if row.experiment == experiment and row.status.is_measured]
    ranked = rank_configurations(done)
    names = experiment.varied
    return [
        CurveSet(
            name_of(group[0].trial, names),
            tuple(folder.read_history(row.trial.id) for row in group),
            diverged=any(row.status == Status.DIVERGED for row in group),
            best=bool(ranked) and any(row.trial.id == ranked[0].trial for row in group),
        )
        for group in _drawn(experiment, rows)
    ]


@dataclass(frozen=True)
class Dot:
    """A configuration in the overview.

    Attributes:
        experiment: its experiment's heading. name: its own.
        accuracies: on the validation rows, (seeds,). interval: of their mean, 95 %; None where it was not compared.
        diverged: whether the loss of one of its networks stopped being finite.
    """

    experiment: str
    name: str
    accuracies: tuple[float, ...]
    interval: tuple[float, float] | None
    diverged: bool


def overview(rows: Sequence[ResultRow], conclusion: Mapping[str, Any]) -> list[Dot]:
    """Return the best configurations of all experiments, in order, without what a search left behind.

    conclusion: the content of ``conclusion.json``, for the intervals.
    """
    found = [c for answer in conclusion.get("answers", ()) for c in answer["configurations"]]
    intervals = {c["trial"]: tuple(c["interval"]) for c in found if c["interval"]}
    experiments = {row.experiment.name: row.experiment for row in rows if not row.experiment.from_search}
    headings = {name: heading(experiment, rows) for name, experiment in experiments.items()}
    return [
        Dot(
            headings[experiment.name],
            name_of(group[0].trial, experiment.varied),
            tuple(r.result.val_accuracy or 0.0 for r in group if r.status.is_measured and r.result),
            next((intervals[r.trial.id] for r in group if r.trial.id in intervals), None),
            any(r.status == Status.DIVERGED for r in group),
        )
        for experiment in experiments.values()
        for group in _drawn(experiment, rows)
    ]


@dataclass(frozen=True)
class Slice:
    """What a search tried of one setting.

    Attributes:
        name: of the setting. values: of each configuration, (configurations,): numbers, or positions of `choices`.
        choices: the values in words, or none for numbers. log: whether a logarithmic axis shows them best.
    """

    name: str
    values: Array
    choices: tuple[str, ...] = ()
    log: bool = False


@dataclass(frozen=True)
class Tried:
    """The configurations that a search tried: what of each setting, (configurations,) validation errors and epochs."""

    slices: tuple[Slice, ...]
    errors: Array
    epochs: Array


def tried(suite: Suite, rows: Sequence[ResultRow]) -> Tried | None:
    """Return what a suite's search tried, those that diverged or failed left out; None without a search."""
    found = [row for row in rows if row.experiment.from_search and row.status.is_measured]
    results = [row.result for row in found if row.result]
    if suite.search is None or not found:
        return None
    slices = [part for name, what in suite.search.space.items() for part in _slices(name, what, found)]
    errors = np.array([1 - (result.val_accuracy or 0.0) for result in results])
    return Tried(tuple(slices), errors, np.array([result.epochs for result in results]))


def _slices(name: str, what: Dimension, rows: Sequence[ResultRow]) -> list[Slice]:
    values = [row.trial[name] for row in rows]
    if isinstance(what, Choices):
        choices = tuple(what.by_name())
        return [Slice(name, np.array([choices.index(describe_value(value)) for value in values]), choices)]
    if isinstance(what, Range):
        return [Slice(name, np.array(values), log=what.log)]
    depths = np.array([len(widths) for widths in values])
    # without hidden layers there is no width
    widths = np.array([widths[0] if widths else np.nan for widths in values])
    return [Slice("hidden layers", depths), Slice("width of the hidden layers", widths, log=True)]


@dataclass(frozen=True)
class Predictions:
    """What the chosen network said of one part of the rows: (rows,) each; classes as indices."""

    rows: Array
    true: Array
    predicted: Array
    probability: Array

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float((self.true == self.predicted).mean())

    def most_confident_errors(self, count: int) -> Array:
        """Return the positions of the wrong answers that it was surest of, surest first."""
        wrong = np.flatnonzero(self.true != self.predicted)
        return wrong[np.argsort(-self.probability[wrong], kind="stable")][:count]


def chosen_predictions(folder: RunFolder, part: str) -> Predictions:
    """Read what the chosen network said of the part "train", "validation" or "test"."""
    arrays = folder.read_arrays(folder.chosen_file)
    return Predictions(*(arrays[f"{part}_{name}"] for name in ("rows", "true", "predicted", "probability")))


def chosen_classes(folder: RunFolder) -> Array:
    """Read the class labels, in the order of the indices."""
    return folder.read_arrays(folder.chosen_file)["classes"]
