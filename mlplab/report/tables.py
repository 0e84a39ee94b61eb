"""The tables that figures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlplab.engine.numpy_engine import Array
from mlplab.lab.conclusion import name_of, rank_configurations
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Experiment
from mlplab.training.history import History

#: The four learning curves: column of the history, title, whether it is a share of 1.
CURVES = (
    ("train_loss", "Training loss (nats)", False),
    ("val_loss", "Validation loss (nats)", False),
    ("train_accuracy", "Training accuracy", True),
    ("val_accuracy", "Validation accuracy", True),
)


@dataclass(frozen=True)
class CurveSet:
    """The learning curves of one configuration.

    Attributes:
        name: for the legend.
        histories: of its trials, one for each seed.
        diverged: whether the loss of one of them stopped being finite.
        best: whether to mark it as the best.
    """

    name: str
    histories: tuple[History, ...]
    diverged: bool = False
    best: bool = False

    def curve(self, column: str) -> Array:
        """Return a column as (seeds, epochs); a history that ended early is filled up with NaN."""
        longest = max((len(history) for history in self.histories), default=0)
        return np.array([h[column] + [np.nan] * (longest - len(h)) for h in self.histories]).reshape(
            len(self.histories), longest
        )


def experiment_curves(folder: RunFolder, experiment: Experiment, rows: Sequence[ResultRow]) -> list[CurveSet]:
    """Return the curves of an experiment's configurations, in the order of its grid, the best one marked."""
    groups: dict[str, list[ResultRow]] = {}
    for row in rows:
        if row.experiment == experiment and row.status in ("done", "diverged"):
            groups.setdefault(row.trial.configuration, []).append(row)
    done = [row for row in rows if row.experiment == experiment and row.status == "done"]
    ranked = rank_configurations(done)
    names = [name for name, values in experiment.grid.items() if len(values) > 1]
    return [
        CurveSet(
            name_of(group[0].trial, names),
            tuple(folder.read_history(row.trial.id) for row in group),
            diverged=any(row.status == "diverged" for row in group),
            best=bool(ranked) and any(row.trial.id == ranked[0].trial for row in group),
        )
        for group in groups.values()
    ]


@dataclass(frozen=True)
class Dot:
    """A configuration in the overview: its experiment, its name, validation accuracies (seeds,), and its status."""

    experiment: str
    name: str
    accuracies: tuple[float, ...]
    diverged: bool


def overview(rows: Sequence[ResultRow]) -> list[Dot]:
    """Return all configurations of all experiments, in order."""
    dots: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        if row.status in ("done", "diverged"):
            dots.setdefault((row.experiment.name, row.trial.configuration), []).append(row)
    return [
        Dot(
            group[0].experiment.title,
            name_of(group[0].trial, [n for n, v in group[0].experiment.grid.items() if len(v) > 1]),
            tuple(r.result.val_accuracy or 0.0 for r in group if r.status == "done" and r.result),
            any(r.status == "diverged" for r in group),
        )
        for group in dots.values()
    ]


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


def confusion(true: Array, predicted: Array, classes: int) -> Array:
    """Return the confusion matrix (classes, classes): rows are the truth, columns the prediction."""
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (true.astype(int), predicted.astype(int)), 1)
    return matrix
