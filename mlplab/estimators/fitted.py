"""The fitted attributes of an estimator, as in scikit-learn, read from the network and its training state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.estimators.fitted_network import FittedNetwork
from mlplab.estimators.training_state import TrainingState, stops_early
from mlplab.training.build import set_start
from mlplab.training.history import History


@dataclass(frozen=True)
class FittedState:
    """The result of a fit, without the settings and the meaning of the outputs; an estimator can be restored from it.

    Attributes:
        arrays: by the names of `FittedNetwork.arrays`.
        feature_names: of X, or None.
        validation_scores: of early stopping; None uses the validation accuracies of the history.
    """

    arrays: Mapping[str, Array]
    history: History = field(default_factory=History)
    n_training_rows: int = 0
    feature_names: Sequence[str] | None = None
    validation_scores: list[float] | None = None


class FittedAttributes:
    """The attributes of an estimator with a network and a history; they raise AttributeError before `fit`."""

    early_stopping: bool
    solver: Any
    network_: FittedNetwork
    _training: TrainingState

    # ---- training ------------------------------------------------------------------------------------------------

    @property
    def history_(self) -> History:
        """The loss, the accuracy and the seconds of every epoch."""
        return self._training_state().history

    @property
    def n_iter_(self) -> int:
        """The number of epochs of the last fit."""
        return self._training_state().epochs

    @property
    def t_(self) -> int:
        """The number of rows trained on, counted once for each epoch."""
        return self._training_state().rows_seen

    @property
    def n_training_rows_(self) -> int:
        """The number of rows trained on in each epoch."""
        return self._training_state().training_rows

    @property
    def interrupted_(self) -> bool:
        """Whether Ctrl-C stopped training; the result up to then is kept."""
        return self._training_state().interrupted

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
        return None if stops_early(self) else min(self._finished_epochs()["objective"])

    @property
    def validation_loss_curve_(self) -> list[float] | None:
        """Mean loss of the validation rows after every epoch; None if there were none."""
        curve = self.history_["val_loss"]
        return None if np.isnan(curve).any() else curve

    @property
    def validation_scores_(self) -> list[float] | None:
        """The validation accuracy or R² after every epoch with `early_stopping`, NaN where it diverged; else None."""
        return self._training_state().validation_scores if stops_early(self) else None

    @property
    def best_validation_score_(self) -> float | None:
        """The best of `validation_scores_`, or None."""
        scores = self.validation_scores_
        self._finished_epochs()
        return None if scores is None or np.isnan(scores).all() else float(np.nanmax(scores))

    @property
    def stopped_early_(self) -> bool:
        """Whether more than `n_iter_no_change` epochs in a row brought no improvement: `fit` then stops.

        After `partial_fit`, True means that no further calls are needed.
        """
        self._fitted_network()
        return self._training.patience.exhausted

    # ---- the network ---------------------------------------------------------------------------------------------

    @property
    def coefs_(self) -> list[Array]:
        """The weights W (I, O) of every layer: views of the parameters."""
        return self._fitted_network().coefs

    @coefs_.setter
    def coefs_(self, coefs: Sequence[Array]) -> None:
        set_start("coefs_", coefs, self.coefs_)

    @property
    def intercepts_(self) -> list[Array]:
        """The biases b (O,) of every layer: views of the parameters; zeros if there are none."""
        return self._fitted_network().intercepts

    @intercepts_.setter
    def intercepts_(self, intercepts: Sequence[Array]) -> None:
        if not self._fitted_network().network.theta.biases and any(np.any(b) for b in intercepts):
            raise DataError("intercepts_ must be zeros: a network with fit_intercept=False has no intercepts")
        set_start("intercepts_", intercepts, self.intercepts_)

    @property
    def n_layers_(self) -> int:
        """The number of layers, including the input layer."""
        return len(self._fitted_network().network.sizes)

    @property
    def n_outputs_(self) -> int:
        """The number of outputs of the network."""
        return self._fitted_network().network.sizes[-1]

    @property
    def out_activation_(self) -> str:
        """The name of the output's non-linearity: "softmax", "logistic", "identity", "exp", or that of your loss."""
        return self._fitted_network().loss.out_activation

    # ---- state ---------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, Array]:
        """Return views of all arrays that predictions depend on, by the names used in model files."""
        return self._fitted_network().arrays()

    def fitted_state(self) -> FittedState:
        """Return the result of the last fit, from which `restore` makes an estimator with the same predictions."""
        state, names = self._training_state(), getattr(self, "feature_names_in_", None)
        return FittedState(self.arrays(), state.history, state.training_rows, names, state.validation_scores)

    def copy_results(self) -> dict[str, Any]:
        """Return copies of the attributes that training changes, by name.

        A copy of this estimator can predict with them. Its further training would start with a new optimizer.
        """
        return deepcopy({"network_": self.network_, "_training": replace(self._training, learner=None, best=None)})

    def keep_weights(self) -> None:
        """Continue training from the current weights, which may have been changed by hand.

        With `ema_decay` or `average_epochs`, training otherwise continues from the weights before averaging.
        """
        self._training_state().keep_weights()

    def _finished_epochs(self) -> History:
        if not self.history_.epochs:  # an AttributeError, so that hasattr(estimator, "loss_") is False
            raise AttributeError("the training was interrupted in its first epoch")
        return self.history_

    def _fitted_network(self) -> FittedNetwork:
        if "network_" not in vars(self):  # an AttributeError, so that hasattr(estimator, "coefs_") is False
            raise AttributeError("this attribute is available after fit")
        return self.network_

    def _training_state(self) -> TrainingState:
        if "_training" not in vars(self):
            raise AttributeError("this attribute is available after fit")
        return self._training
