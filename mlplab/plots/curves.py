"""Learning curves of configurations, as tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array
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
