"""Evaluation of a classifier on rows whose classes are known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    precision_recall_fscore_support,
)
from sklearn.utils import column_or_1d

from mlplab.data.labels import encode
from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.evaluation.calibration import Calibration, calibration_of
from mlplab.metrics import METRICS, Metric
from mlplab.utils.text import align, percent, true_and_predicted


@dataclass(frozen=True)
class ClassReport:
    """The precision, the recall, the F1 score and the number of rows of one class."""

    name: Any
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Confusion:
    """The number of rows of one class that were predicted as another, and their share of the class's rows."""

    truth: Any
    prediction: Any
    rows: int
    share: float


@dataclass(frozen=True)
class RowLoss:
    """A row, by its number from 0, and its loss.

    Attributes:
        loss: -log of the true class's probability, nats.
        truth, prediction: the true and the predicted class.
        probability: of the true class.
    """

    row: int
    loss: float
    truth: Any
    prediction: Any
    probability: float

    @property
    def wrong(self) -> bool:
        """Whether the prediction differs from the truth."""
        return bool(self.truth != self.prediction)


@dataclass(frozen=True)
class Evaluation:
    """The predictions of a classifier and the metrics computed from them; ``print(evaluation)`` shows a report.

    Attributes:
        classes: (classes,).
        true, predicted: indices of classes, (rows,) each.
        probabilities: (rows, classes).
    """

    classes: Array
    true: Array
    predicted: Array
    probabilities: Array

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.true)

    @property
    def right(self) -> Array:
        """Whether each row was classified correctly, (rows,)."""
        right: Array = self._row_values("accuracy")
        return right

    @property
    def accuracy(self) -> float:
        """The share of the rows that were classified correctly."""
        return self._metric("accuracy")

    @cached_property
    def losses(self) -> Array:
        """-log of the true class's probability, nats, (rows,); 0 counts as the smallest positive probability."""
        losses: Array = self._row_values("log_loss")
        return losses

    @property
    def log_loss(self) -> float:
        """The mean of the losses, nats."""
        return self._metric("log_loss")

    @property
    def brier(self) -> float:
        """The Brier score, 0 to 2: the mean squared difference between probabilities and truth, summed over classes."""
        return self._metric("brier")

    def _metric(self, name: str) -> float:
        metric = METRICS[name]
        return metric.value(self.true, self._predictions(metric))

    def _row_values(self, name: str) -> Array:
        metric = METRICS[name]
        assert metric.row_values
        return metric.row_values(self.true, self._predictions(metric))

    def _predictions(self, metric: Metric) -> Array:
        return self.predicted if metric.needs == "labels" else self.probabilities

    @cached_property
    def confusion_matrix(self) -> Array:
        """Rows counted by truth (down) and prediction (across), (classes, classes)."""
        return count_pairs(self.true, self.predicted, len(self.classes))

    @cached_property
    def report(self) -> list[ClassReport]:
        """Precision, recall, F1 and rows of every class; 0 where the divisor would be 0."""
        columns = precision_recall_fscore_support(
            self.true, self.predicted, labels=range(len(self.classes)), zero_division=0
        )
        precision, recall, f1, rows = (column.tolist() for column in columns)
        return list(map(ClassReport, self.classes.tolist(), precision, recall, f1, rows))

    def most_confused(self, count: int = 10) -> list[Confusion]:
        """Return the pairs of classes that were confused most often, the most frequent first."""
        wrong = self.confusion_matrix.copy()
        np.fill_diagonal(wrong, 0)
        pairs = np.argsort(-wrong, axis=None, kind="stable")[:count]
        truths, predictions = np.unravel_index(pairs, wrong.shape)
        of_class = self.confusion_matrix.sum(axis=1)
        names = self.classes.tolist()
        return [
            Confusion(names[t], names[p], int(wrong[t, p]), float(wrong[t, p] / of_class[t]))
            for t, p in zip(truths.tolist(), predictions.tolist(), strict=True)
            if wrong[t, p]
        ]

    def calibration(self, bins: int = 15) -> Calibration:
        """Return the confidence of the predictions and their accuracy, in bins."""
        return calibration_of(self.probabilities[np.arange(self.rows), self.predicted], self.right, bins)

    def top_losses(self, count: int = 10) -> list[RowLoss]:
        """Return the rows with the largest losses, the largest first: where to look for wrong labels."""
        names = self.classes.tolist()
        return [
            RowLoss(
                row,
                float(self.losses[row]),
                names[self.true[row]],
                names[self.predicted[row]],
                float(self.probabilities[row, self.true[row]]),
            )
            for row in np.argsort(-self.losses, kind="stable")[:count].tolist()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON; class names of other types become text."""
        calibration = self.calibration()
        known = (str, int, float, bool)
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "brier": self.brier,
            "calibration_error": calibration.error,
            "classes": [name if isinstance(name, known) else str(name) for name in self.classes.tolist()],
            "confusion_matrix": self.confusion_matrix.tolist(),
            "report": [asdict(line) for line in self.report],
            "most_confused": [asdict(pair) for pair in self.most_confused()],
            "top_losses": [asdict(loss) for loss in self.top_losses()],
            "calibration": {
                "edges": calibration.edges.tolist(),
                "rows": calibration.rows.tolist(),
                "confidence": [None if np.isnan(v) else v for v in calibration.confidence.tolist()],
                "accuracy": [None if np.isnan(v) else v for v in calibration.accuracy.tolist()],
            },
        }

    def __str__(self) -> str:
        return "\n\n".join(
            [
                f"accuracy {percent(self.accuracy)} on {self.rows:,} rows, log loss {self.log_loss:.4f} nats, Brier "
                f"score {self.brier:.4f}, expected calibration error {percent(self.calibration().error)}",
                self._report_text(),
                self._matrix_text(),
                *self._lists(),
            ]
        )

    def _report_text(self) -> str:
        head = ["class", "precision", "recall", "F1", "rows"]
        lines = [
            [str(c.name), f"{c.precision:.4f}", f"{c.recall:.4f}", f"{c.f1:.4f}", f"{c.rows:,}"] for c in self.report
        ]
        return align([head, *lines])

    def _matrix_text(self) -> str:
        names = list(map(str, self.classes.tolist()))
        counts = [[f"{count or '·'}" for count in row] for row in self.confusion_matrix.tolist()]
        rows = [[name, *row] for name, row in zip(names, counts, strict=True)]
        return "Confusion matrix (rows: true class, columns: predicted class)\n\n" + align([["", *names], *rows])

    def _lists(self) -> list[str]:
        confused = [
            [true_and_predicted(pair.truth, pair.prediction), f"{pair.rows:,}", percent(pair.share)]
            for pair in self.most_confused(5)
        ]
        costly = [
            [
                f"row {one.row:,}",
                f"{one.loss:.2f} nats",
                true_and_predicted(one.truth, one.prediction),
                f"p = {one.probability:.2g}",
            ]
            for one in self.top_losses(5)
            if one.wrong
        ]
        texts = []
        if confused:
            texts.append("Most frequent confusions (rows, share of the true class)\n\n" + align(confused))
        if costly:
            texts.append("Largest losses (rows from 0, probability of the true class)\n\n" + align(costly))
        return texts


def evaluate_classifier(model: Any, X: npt.ArrayLike, y: npt.ArrayLike) -> Evaluation:
    """Evaluate a fitted classifier, see `evaluate`."""
    probabilities, predicted = model.predict_proba(X), model.predict(X)
    if np.ndim(predicted) > 1 or np.ndim(y) > 1:
        raise DataError("evaluate does not support several labels per row")
    given = column_or_1d(y)
    if len(given) != len(predicted):
        raise DataError(f"X has {len(predicted)} rows and y has {len(given)}; they must agree")
    if not len(given):
        raise DataError("there are no rows to evaluate")
    classes = np.asarray(model.classes_)
    return Evaluation(
        classes, encode(given, classes, "y"), encode(predicted, classes, "the predictions"), np.asarray(probabilities)
    )


def count_pairs(true: Array, predicted: Array, classes: int) -> Array:
    """Return the confusion matrix (classes, classes) of indices: rows are true classes, columns predicted classes.

    scikit-learn's function warns about a single class, even if `labels` contains no other.
    """
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (true.astype(int), predicted.astype(int)), 1)
    return matrix
