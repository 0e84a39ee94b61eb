"""What may look on while an estimator is fitted, and stop it."""

from __future__ import annotations

from typing import Any

from mlplab.training.history import Epoch


class Callback:
    """Called while an estimator is fitted; override what you need.

    The estimator is usable while it trains: `predict`, `score` and `save_model` see the weights of the moment.
    """

    def on_fit_begin(self, estimator: Any) -> None:
        """Called before the first epoch; `estimator.max_iter` epochs are to come."""

    def on_epoch_end(self, estimator: Any, epoch: Epoch) -> bool | None:
        """Called after every epoch; return True to end the training here."""
        return None

    def on_fit_end(self, estimator: Any) -> None:
        """Called after the last epoch, also when an error or Ctrl-C ended the training."""
