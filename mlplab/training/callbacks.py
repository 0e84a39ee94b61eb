"""What may look on while an estimator is fitted, and stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlplab.training.history import Epoch


class Callback:
    """Called while an estimator is fitted; override what you need.

    The estimator is usable while it trains: `predict`, `score` and `save_model` see the weights of the moment.
    """

    def on_fit_begin(self, estimator: Any) -> bool | None:
        """Called before the first epoch of at most `estimator.max_iter`; return True to make none.

        A fit that goes on from a checkpoint has the epochs of before in `estimator.history_`.
        """
        return None

    def on_epoch_begin(self, estimator: Any, epoch: int) -> None:
        """Called before every epoch with its number, from 1; not with solver "lbfgs"."""

    def on_batch_end(self, estimator: Any, loss: float) -> bool | None:
        """Called after every batch; return True to end the training here, in the middle of an epoch.

        The epoch is then no part of the history, but what it has learnt is kept. Not called with solver "lbfgs".

        Args:
            loss: mean of the batch's rows before the step, without penalties.
        """
        return None

    def on_epoch_end(self, estimator: Any, epoch: Epoch) -> bool | None:
        """Called after every epoch; return True to end the training here."""
        return None

    def on_fit_end(self, estimator: Any) -> None:
        """Called after the last epoch, also when an error or Ctrl-C ended the training."""


class Callbacks:
    """Several callbacks as one; every one is told, whatever the ones before it answer.

    Args:
        callbacks: objects with the methods of `Callback`; the two youngest of these, `on_epoch_begin` and
            `on_batch_end`, may be missing.
        estimator: handed to each.
    """

    def __init__(self, callbacks: Sequence[Any], estimator: Any) -> None:
        self._all, self._estimator = callbacks, estimator
        # telling all of them of every batch would cost small ones too much
        self._of_epochs, self._of_batches = (
            [c for c in callbacks if getattr(type(c), method, base) is not base]
            for method, base in (("on_epoch_begin", Callback.on_epoch_begin), ("on_batch_end", Callback.on_batch_end))
        )

    def on_fit_begin(self) -> bool:
        stops = [callback.on_fit_begin(self._estimator) for callback in self._all]
        return any(stops)

    def on_epoch_begin(self, epoch: int) -> None:
        for callback in self._of_epochs:
            callback.on_epoch_begin(self._estimator, epoch)

    @property
    def on_batch_end(self) -> Callable[[float], bool] | None:
        """What to call after every batch, or None where nobody wants to know."""
        return self._on_batch_end if self._of_batches else None

    def _on_batch_end(self, loss: float) -> bool:
        stops = [callback.on_batch_end(self._estimator, loss) for callback in self._of_batches]
        return any(stops)

    def on_epoch_end(self, epoch: Epoch) -> bool:
        stops = [callback.on_epoch_end(self._estimator, epoch) for callback in self._all]
        return any(stops)

    def on_fit_end(self) -> None:
        for callback in self._all:
            callback.on_fit_end(self._estimator)
