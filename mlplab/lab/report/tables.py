"""The tables from which figures are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array
from mlplab.lab.analysis.findings import Conclusion
from mlplab.lab.analysis.ranking import name_of, rank_configurations, value_of
from mlplab.lab.analysis.test_set import PARTS
from mlplab.lab.spec.space import Choices, Dimension, Range
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Experiment
from mlplab.lab.spec.trial import describe_value
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics.base import Metric
from mlplab.plots.curves import CurveSet

#: At most this many configurations of an experiment are drawn, the best ones: 8 colours in 4 line styles.
MOST = 32


def heading(experiment: Experiment, rows: Sequence[ResultRow]) -> str:
    """Return the title of an experiment, with the number of configurations drawn unless all of them are."""
    count = len(_ended(experiment, rows))
    return experiment.title + (f" (the best {MOST} of {count:,})" if count > MOST else "")


def curves_heading(experiment: Experiment, rows: Sequence[ResultRow]) -> str:
    """Return the heading of an experiment's curves: its title, and an explanation of the bands if there are any."""
    seeds = max((len(group) for group in _ended(experiment, rows).values()), default=0)
    bands = f"\nmeans of {seeds} seeds, in bands from the lowest to the highest" if seeds > 1 else ""
    return heading(experiment, rows) + bands


def _ended(experiment: Experiment, rows: Sequence[ResultRow]) -> dict[str, list[ResultRow]]:
    """Return the rows that have a curve, for each configuration of an experiment, in the order of its grid."""
    groups: dict[str, list[ResultRow]] = {}
    for row in rows:
        if row.experiment == experiment and row.status in (Status.DONE, Status.DIVERGED, Status.PAUSED):
            groups.setdefault(row.trial.configuration, []).append(row)
    return groups


def _drawn(experiment: Experiment, rows: Sequence[ResultRow], metric: Metric) -> list[list[ResultRow]]:
    """Return the rows of the `MOST` best of these configurations, in the order of the grid; diverged ones rank last."""
    groups = _ended(experiment, rows)
    measured = [row for group in groups.values() for row in group if row.status != Status.DIVERGED]
    ranked = rank_configurations(measured, metric)
    rank = {configuration.trial: k for k, configuration in enumerate(ranked)}
    best = sorted(groups, key=lambda key: min(rank.get(row.trial.id, len(rank)) for row in groups[key]))[:MOST]
    return [group for key, group in groups.items() if key in best]


def experiment_curves(results: Results, experiment: Experiment) -> list[CurveSet]:
    """Return the curves of an experiment's best configurations, in the order of its grid; the best one is marked."""
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
        experiment: the heading of its experiment.
        name: the name of the configuration.
        values: the values of the metric on the validation rows, (seeds,).
        interval: the 95 % interval of their mean; None if the configuration was not compared.
        diverged: whether the training of one of its networks diverged.
    """

    experiment: str
    name: str
    values: tuple[float, ...]
    interval: tuple[float, float] | None
    diverged: bool


def overview(rows: Sequence[ResultRow], metric: Metric, conclusion: Conclusion | None) -> list[Dot]:
    """Return the best configurations of all experiments, in order, without those that only a search tried.

    Args:
        rows: the rows of all experiments.
        metric: the metric of the suite.
        conclusion: holds the intervals; without it there are none.
    """
    compared = [c for experiment in conclusion.experiments for c in experiment.configurations] if conclusion else []
    intervals = {c.trial: c.interval for c in compared if c.interval}
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
    """The values of one setting that a search tried.

    Attributes:
        name: the name of the setting.
        values: the value of each configuration, (configurations,): a number, or a position in `choices`.
        choices: the values in words; empty for numbers.
        log: whether the axis is logarithmic.
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
        errors: the error of each configuration on the validation rows, lower is better, (configurations,): 1 minus the
            metric if larger values are better, otherwise the metric itself.
        epochs: the number of epochs of each configuration, (configurations,).
    """

    slices: tuple[Slice, ...]
    errors: Array
    epochs: Array


def tried(results: Results) -> Tried | None:
    """Return the configurations that a suite's search tried and that have measures; None if there are none."""
    rows = [row for row in results.rows if row.experiment.from_search and row.status.is_measured]
    if results.suite.search is None or not rows:
        return None
    metric, space = results.suite.measure, results.suite.search.space
    slices = [part for name, dimension in space.items() for part in _slices(name, dimension, rows)]
    values = np.array([value_of(row, metric) for row in rows])
    errors = 1 - values if metric.greater_is_better else values
    return Tried(tuple(slices), errors, np.array([row.result.epochs for row in rows if row.result]))


def _slices(name: str, dimension: Dimension, rows: Sequence[ResultRow]) -> list[Slice]:
    values = [row.trial[name] for row in rows]
    if isinstance(dimension, Choices):
        choices = tuple(dimension.by_name())
        return [Slice(name, np.array([choices.index(describe_value(value)) for value in values]), choices)]
    if isinstance(dimension, Range):
        return [Slice(name, np.array(values), log=dimension.log)]
    depths = np.array([len(widths) for widths in values])
    # without hidden layers there is no width
    widths = np.array([widths[0] if widths else np.nan for widths in values])
    return [Slice("hidden layers", depths), Slice("width of the hidden layers", widths, log=True)]


@dataclass(frozen=True)
class PartPredictions:
    """The predictions of the selected network for one part of the rows.

    Attributes:
        rows: the row numbers, (rows,).
        true, predicted: the true and the predicted classes as indices, (rows,) each.
        probability: the probabilities of the predicted classes, (rows,).
    """

    rows: Array
    true: Array
    predicted: Array
    probability: Array

    def most_confident_errors(self, count: int) -> Array:
        """Return the positions of the errors with the largest probabilities, (at most `count`,), the largest first."""
        wrong = np.flatnonzero(self.true != self.predicted)
        return wrong[np.argsort(-self.probability[wrong], kind="stable")][:count]


@dataclass(frozen=True)
class ChosenPredictions:
    """The predictions of the selected network.

    Attributes:
        classes: the class labels, in the order of the indices.
        parts: the predictions for the parts "train", "validation" and "test".
    """

    classes: Array
    parts: dict[str, PartPredictions]


def chosen_predictions(folder: RunFolder) -> ChosenPredictions:
    """Return the predictions of the selected network.

    Raises:
        RunFolderError: if the file is missing or damaged.
    """
    arrays = folder.read_arrays(folder.chosen_file)
    names = ("rows", "true", "predicted", "probability")
    parts = {part: PartPredictions(*(arrays[f"{part}_{name}"] for name in names)) for part in PARTS}
    return ChosenPredictions(arrays["classes"], parts)
