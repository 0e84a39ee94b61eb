"""The training history: a table of the losses and metrics of every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from mlplab.metrics import METRICS, Metric

if TYPE_CHECKING:
    import pandas

#: The columns of `history.csv`, in this order. To add one, add it here and to `Epoch`.
COLUMNS = (
    *("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"),
    *("val_brier", "val_mse"),
)
#: Metric columns that are omitted if they were not measured; each task has one of them.
OPTIONAL = ("val_brier", "val_mse")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows. A metric (`mlplab.metrics.METRICS`) that was not measured is NaN.

    Attributes:
        epoch: its number, from 1.
        train_loss: mean nats per training row, each batch before its update.
        train_accuracy: share of the training rows (0 to 1) classified correctly, each batch before its update.
        val_loss: the mean loss of the validation rows after the epoch; NaN if there are none.
        val_accuracy, val_brier: of a classifier, for the validation rows after the epoch.
        val_mse: of a regressor, for the same rows.
        seconds: wall-clock time, validation included.
        objective: train_loss plus the mean penalty, which is minimized.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float = nan
    val_accuracy: float = nan
    seconds: float = nan
    objective: float = nan
    val_brier: float = nan
    val_mse: float = nan

    def score(self, metric: Metric) -> float:
        """Return the score of a metric on the validation rows; larger is better."""
        return metric.score(getattr(self, metric.column))


class Measure(NamedTuple):
    """A column of the history that holds a loss or a metric.

    Attributes:
        column: its name. rows: the rows it was measured on.
        name: "loss", or the name of the metric. metric: the metric; None for the loss.
    """

    column: str
    rows: Literal["training", "validation"]
    name: str
    metric: Metric | None


def _measures() -> Iterator[Measure]:
    rows: Mapping[str, Literal["training", "validation"]] = {"train": "training", "val": "validation"}
    for column in COLUMNS:
        part, _, name = column.partition("_")
        if part in rows:
            yield Measure(column, rows[part], name, METRICS.get(name))


#: The columns that hold a loss or a metric: the learning curves.
MEASURES = tuple(_measures())


@dataclass
class History:
    """The epochs of one network, in order; ``history["val_loss"]`` is a column.

    Attributes:
        epochs: the finished epochs.
        diverged_in: the number of the epoch in which the loss stopped being finite, or None.
    """

    epochs: list[Epoch] = field(default_factory=list)
    diverged_in: int | None = None

    state_attributes: ClassVar = ("records",)

    @property
    def records(self) -> list[dict[str, float]]:
        """The epochs as plain data, without the metrics of `OPTIONAL` that were not measured."""
        return [
            {name: value for name, value in vars(epoch).items() if name not in OPTIONAL or not isnan(value)}
            for epoch in self.epochs
        ]

    @records.setter
    def records(self, records: list[dict[str, Any]]) -> None:
        self.epochs = [Epoch(**record) for record in records]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, column: str) -> list[float]:
        return [getattr(epoch, column) for epoch in self.epochs]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table: `COLUMNS` without the metrics of `OPTIONAL` that no epoch has."""
        return tuple(name for name in COLUMNS if name not in OPTIONAL or not all(map(isnan, self[name])))

    def best(self, metric: Metric) -> Epoch:
        """Return the epoch with the best value of a metric for the validation rows, the first one if there are ties.

        Raises:
            ValueError: for a history without epochs.
        """
        return max(self, key=lambda epoch: epoch.score(metric))

    def to_dict(self) -> dict[str, list[float]]:
        """Return the columns by name."""
        return {column: self[column] for column in self.columns}

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas data frame with a row for each epoch."""
        import pandas

        return pandas.DataFrame(self.to_dict())
