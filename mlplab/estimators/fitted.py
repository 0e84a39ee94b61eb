"""What a fitted estimator tells of itself: scikit-learn's attributes, read from the network and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.nn.network import Network
from mlplab.training.build import set_start
from mlplab.training.history import History
from mlplab.training.stopping import Patience


@dataclass(frozen=True)
class FittedState:
    """What a fit has left, beside the settings and what the outputs stand for: an estimator goes on from it.

    Attributes:
        arrays: what `NeuralNetwork.arrays` returned.
        feature_names: of X, or None.
        validation_scores: those of early stopping; None takes the validation accuracies of the history.
    """

    arrays: Mapping[str, Array]
    history: History = field(default_factory=History)
    n_training_rows: int = 0
    feature_names: Sequence[str] | None = None
    validation_scores: list[float] | None = None


class FittedAttributes:
    """The attributes of an estimator that has a network and a history; AttributeError before `fit`."""

    early_stopping: bool
    solver: Any
    _network: Network
    history_: History
    _validation_scores: list[float]
    _patience: Patience
    _epochs_before: int  # those of the fits that the last one continued

    @property
    def n_iter_(self) -> int:
        """Epochs made by the last fit."""
        return len(self.history_) - self._epochs_before

    @property
    def loss_curve_(self) -> list[float]:
        """The objective of every epoch."""
        return self.history_["objective"]

    @property
    def loss_(self) -> float:
        """The objective of the last epoch."""
        return self._finished_epochs()["objective"][-1]

    @property
    def best_loss_(self) -> float | None:
        """The lowest objective; None with `early_stopping`."""
        return None if self._stops_early() else min(self._finished_epochs()["objective"])

    @property
    def validation_loss_curve_(self) -> list[float] | None:
        """Mean loss of the validation rows after every epoch; None where there were none."""
        curve = self.history_["val_loss"]
        return None if np.isnan(curve).any() else curve

    @property
    def validation_scores_(self) -> list[float] | None:
        """The validation accuracy or R² after every epoch with `early_stopping`, NaN where it diverged; else None."""
        return self._validation_scores if self._stops_early() else None

    @property
    def best_validation_score_(self) -> float | None:
        """The best of `validation_scores_`, or None."""
        scores = self.validation_scores_
        self._finished_epochs()
        return None if scores is None or np.isnan(scores).all() else float(np.nanmax(scores))

    @property
    def stopped_early_(self) -> bool:
        """Whether `n_iter_no_change` epochs brought nothing: where `fit` stops, and `partial_fit` would be left off."""
        self._fitted_network()
        return self._patience.exhausted

    @property
    def coefs_(self) -> list[Array]:
        """The weights W (I, O) of every layer: views of the parameters."""
        return [W[0] for W in self._fitted_network().theta.weights]

    @coefs_.setter
    def coefs_(self, coefs: Sequence[Array]) -> None:
        set_start("coefs_", coefs, self.coefs_)

    @property
    def intercepts_(self) -> list[Array]:
        """The biases b (O,) of every layer: views of the parameters; zeros where there are none."""
        network = self._fitted_network()
        if network.theta.biases:
            return [b[0, 0] for b in network.theta.biases]
        return [network.engine.zeros(o) for o in network.sizes[1:]]

    @intercepts_.setter
    def intercepts_(self, intercepts: Sequence[Array]) -> None:
        if not self._fitted_network().theta.biases and any(np.any(b) for b in intercepts):
            raise DataError("intercepts_ must be zeros, for fit_intercept=False has no intercepts")
        set_start("intercepts_", intercepts, self.intercepts_)

    @property
    def n_layers_(self) -> int:
        """Layers, that of the inputs included."""
        return len(self._fitted_network().sizes)

    @property
    def n_outputs_(self) -> int:
        """Outputs of the network."""
        return self._fitted_network().sizes[-1]

    def _stops_early(self) -> bool:
        return bool(self.early_stopping) and self.solver != "lbfgs"  # which has no early stopping

    def _finished_epochs(self) -> History:
        if not self.history_.epochs:  # an AttributeError, so that hasattr(estimator, "loss_") is False
            raise AttributeError("the training was interrupted in its first epoch")
        return self.history_

    def _fitted_network(self) -> Network:
        if not hasattr(self, "_network"):  # an AttributeError, so that hasattr(estimator, "coefs_") is False
            raise AttributeError("coefs_ and intercepts_ are there after fit")
        return self._network
