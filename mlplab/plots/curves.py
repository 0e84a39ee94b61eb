"""Learning curves of configurations as tables, from which figures are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array
from mlplab.training.history import History

#: The four learning curves: column of the history, title, whether its values are shown in percent.
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
        name: shown in the legend.
        histories: of its trials, one per seed.
        diverged: whether the loss of a trial became infinite or NaN.
        best: whether to mark it as the best.
    """

    name: str
    histories: tuple[History, ...]
    diverged: bool = False
    best: bool = False

    def curve(self, column: str) -> Array:
        """Return a column as (seeds, epochs); shorter histories are padded with NaN."""
        longest = max((len(history) for history in self.histories), default=0)
        return np.array([h[column] + [np.nan] * (longest - len(h)) for h in self.histories]).reshape(
            len(self.histories), longest
        )
