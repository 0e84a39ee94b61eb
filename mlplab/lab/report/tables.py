"""The tables that figures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array
from mlplab.lab.analysis.findings import Conclusion
from mlplab.lab.analysis.ranking import name_of, rank_configurations, value_of
from mlplab.lab.spec.space import Choices, Dimension, Range
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Experiment
from mlplab.lab.spec.trial import describe_value
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics.base import Metric
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


def _drawn(experiment: Experiment, rows: Sequence[ResultRow], metric: Metric) -> list[list[ResultRow]]:
    """Return the rows of the `MOST` best of these configurations, in the order of the grid."""
    groups = _ended(experiment, rows)
    measured = [row for group in groups.values() for row in group if row.status != Status.DIVERGED]
    ranked = rank_configurations(measured, metric)
    rank = {configuration.trial: k for k, configuration in enumerate(ranked)}
    best = sorted(groups, key=lambda key: min(rank.get(row.trial.id, len(rank)) for row in groups[key]))[:MOST]
    return [group for key, group in groups.items() if key in best]


def experiment_curves(results: Results, experiment: Experiment) -> list[CurveSet]:
    """Return the curves of an experiment's best configurations, in the order of its grid, the best one marked."""
    metric = results.suite.measure
    measured = [row for row in results.rows if row.experiment == experiment and row.status.is_measured]
    ranked = rank_configurations(measured, metric)
    return [
        CurveSet(
            name_of(group[0].trial, experiment.varied),
            tuple(results.folder.read_history(row.trial.id) for row in group),
            diverged=any(row.status == Status.DIVERGED for row in group),
            best=bool(ranked) and any(row.trial.id == ranked[0].trial for row in group),
        )
        for group in _drawn(experiment, results.rows, metric)
    ]


@dataclass(frozen=True)
class Dot:
    """A configuration in the overview.

    Attributes:
        experiment: its experiment's heading. name: its own.
        values: of the metric on the validation rows, (seeds,).
        interval: the 95 % interval of their mean; None for a configuration that was not compared.
        diverged: whether the loss of one of its networks stopped being finite.
    """

    experiment: str
    name: str
    values: tuple[float, ...]
    interval: tuple[float, float] | None
    diverged: bool


def overview(rows: Sequence[ResultRow], metric: Metric, conclusion: Conclusion | None) -> list[Dot]:
    """Return the best configurations of all experiments, in order, without those that only a search tried.

    conclusion: for the intervals.
    """
    found = [c for experiment in conclusion.experiments for c in experiment.configurations] if conclusion else []
    intervals = {c.trial: c.interval for c in found if c.interval}
    experiments = {row.experiment.name: row.experiment for row in rows if not row.experiment.from_search}
    headings = {name: heading(experiment, rows) for name, experiment in experiments.items()}
    return [
        Dot(
            headings[experiment.name],
            name_of(group[0].trial, experiment.varied),
            tuple(value_of(r, metric) for r in group if r.status.is_measured),
            next((intervals[r.trial.id] for r in group if r.trial.id in intervals), None),
            any(r.status == Status.DIVERGED for r in group),
        )
        for experiment in experiments.values()
        for group in _drawn(experiment, rows, metric)
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
    """The configurations that a search tried.

    Attributes:
        slices: the values of each setting.
        errors: on the validation rows, the lower the better, (configurations,): for a share of right answers the share
            of wrong ones, else the metric itself.
        epochs: that each was trained for, (configurations,).
    """

    slices: tuple[Slice, ...]
    errors: Array
    epochs: Array


def tried(results: Results) -> Tried | None:
    """Return the configurations that a suite's search measured; None without a search."""
    found = [row for row in results.rows if row.experiment.from_search and row.status.is_measured]
    if results.suite.search is None or not found:
        return None
    metric = results.suite.measure
    slices = [part for name, what in results.suite.search.space.items() for part in _slices(name, what, found)]
    values = np.array([value_of(row, metric) for row in found])
    errors = 1 - values if metric.greater_is_better else values
    return Tried(tuple(slices), errors, np.array([row.result.epochs for row in found if row.result]))


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
class PartPredictions:
    """The predictions of the chosen network for one part of the rows: (rows,) each; classes as indices."""

    rows: Array
    true: Array
    predicted: Array
    probability: Array

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float((self.true == self.predicted).mean())

    def most_confident_errors(self, count: int) -> Array:
        """Return the positions of the errors with the largest probabilities, the largest first."""
        wrong = np.flatnonzero(self.true != self.predicted)
        return wrong[np.argsort(-self.probability[wrong], kind="stable")][:count]


def chosen_predictions(folder: RunFolder, part: str) -> PartPredictions:
    """Return the predictions of the chosen network for the part "train", "validation" or "test"."""
    arrays = folder.read_arrays(folder.chosen_file)
    return PartPredictions(*(arrays[f"{part}_{name}"] for name in ("rows", "true", "predicted", "probability")))


def chosen_classes(folder: RunFolder) -> Array:
    """Read the class labels, in the order of the indices."""
    return folder.read_arrays(folder.chosen_file)["classes"]
