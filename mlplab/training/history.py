"""What happened in every epoch: a plain table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas

#: The columns of `history.csv`, in this order. To add one: add it here and to `Epoch`.
COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows.

    Attributes:
        epoch: its number, from 1.
        train_loss: mean nats per training row, each batch before its update.
        train_accuracy: share of the training rows (0 to 1) classified rightly, each batch before its update.
        val_loss, val_accuracy: of the validation rows after the epoch; NaN where there are none.
        seconds: wall-clock time, validation included.
        objective: train_loss plus the mean of the penalties: what was minimised.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float = nan
    val_accuracy: float = nan
    seconds: float = nan
    objective: float = nan


@dataclass
class History:
    """The epochs of one network, in order; ``history["val_loss"]`` is a column.

    Attributes:
        epochs: the finished ones.
        diverged_in: the number of the epoch in which the loss stopped being finite, or None.
    """

    epochs: list[Epoch] = field(default_factory=list)
    diverged_in: int | None = None

    state_attributes: ClassVar = ("records",)

    @property
    def records(self) -> list[dict[str, float]]:
        """The epochs as plain data."""
        return [vars(epoch) for epoch in self.epochs]

    @records.setter
    def records(self, records: list[dict[str, Any]]) -> None:
        self.epochs = [Epoch(**record) for record in records]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, column: str) -> list[float]:
        return [getattr(epoch, column) for epoch in self.epochs]

    def to_dict(self) -> dict[str, list[float]]:
        """Return the columns by name."""
        return {column: self[column] for column in COLUMNS}

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas data frame with a row for each epoch."""
        import pandas

        return pandas.DataFrame(self.to_dict())
