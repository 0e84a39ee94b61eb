"""The state of training during and between fits, from which `partial_fit`, `warm_start` and checkpoints continue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mlplab.engine.base import Array
from mlplab.estimators.fitted_network import FittedNetwork
from mlplab.training.build import AnySettings, build_learner
from mlplab.training.history import History
from mlplab.training.stopping import Patience
from mlplab.training.trainer import Learner


def stops_early(settings: Any) -> bool:
    """Return whether training monitors a validation score; solver "lbfgs" has no early stopping."""
    return bool(settings.early_stopping) and settings.solver != "lbfgs"


@dataclass(eq=False)
class TrainingState:
    """The state that training changes besides the weights; `partial_fit` and `warm_start` continue from it.

    Attributes:
        patience: counts the epochs without improvement.
        learner: the optimizer, the schedule and everything else that changes the weights; None before the first fit.
        best: copies of the network's arrays after the best epoch, with early stopping; else None.
        validation_scores: after each epoch, with early stopping; else empty.
        epochs_before: number of epochs of the fits that the last one continued.
        rows_seen: number of rows trained on, counted once for each epoch.
        history: of all epochs.
        training_rows: number of rows trained on in each epoch.
        interrupted: whether Ctrl-C stopped the last fit.
    """

    patience: Patience
    learner: Learner | None = None
    best: dict[str, Array] | None = None
    validation_scores: list[float] = field(default_factory=list)
    epochs_before: int = 0
    rows_seen: int = 0
    history: History = field(default_factory=History)
    training_rows: int = 0
    interrupted: bool = False

    #: The content of a checkpoint: the attributes, with the names that the files have used since the first version.
    state_attributes: ClassVar[Mapping[str, str]] = {
        "learner": "_learner",
        "patience": "_patience",
        "best": "_best",
        "validation_scores": "_validation_scores",
        "epochs_before": "_epochs_before",
        "rows_seen": "t_",
        "history": "history_",
    }

    @property
    def epochs(self) -> int:
        """The number of epochs of the last fit."""
        return len(self.history) - self.epochs_before

    def set_learner(self, settings: AnySettings, network: FittedNetwork, seed: int) -> None:
        """Create a new optimizer and a new schedule for further training of the network."""
        self.learner = build_learner(settings, network.network, [seed], self.rows_seen)

    def set_patience(self, settings: AnySettings) -> None:
        """Use the stopping rule of these settings from here on, without restarting its count."""
        self.patience.tol = -np.inf if settings.tol is None else settings.tol
        self.patience.n_iter_no_change = settings.n_iter_no_change

    def keep_best(self, network: FittedNetwork) -> None:
        """Put the weights of the best epoch back into the network, if early stopping has kept them."""
        if self.best is not None:
            network.set_arrays(self.best)
            self.keep_weights()

    def keep_weights(self) -> None:
        """Continue training from the current weights, not from those before averaging."""
        if self.learner is not None:
            self.learner.average.settle()
