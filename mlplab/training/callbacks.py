"""Callbacks, which are called while an estimator is fitted and can stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlplab.training.history import Epoch


class Callback:
    """The base class of callbacks; override the methods you need.

    The estimator can be used during training: `predict`, `score` and `save_model` use the current weights.
    """

    def on_fit_begin(self, estimator: Any) -> bool | None:
        """Called before the first of at most `estimator.max_iter` epochs; return True to skip them.

        If a fit resumes from a checkpoint, `estimator.history_` contains the earlier epochs.
        """
        return None

    def on_epoch_begin(self, estimator: Any, epoch: int) -> None:
        """Called before every epoch with its number, from 1. Not called with solver "lbfgs"."""

    def on_batch_end(self, estimator: Any, loss: float) -> bool | None:
        """Called after every batch; return True to stop training in the middle of an epoch.

        The epoch is then not in the history, but its updates are kept. Not called with solver "lbfgs".

        Args:
            loss: mean over the batch's rows before the update, without penalties.
        """
        return None

    def on_epoch_end(self, estimator: Any, epoch: Epoch) -> bool | None:
        """Called after every epoch; return True to stop training."""
        return None

    def on_fit_end(self, estimator: Any) -> None:
        """Called after the last epoch, also when an error or Ctrl-C stopped training."""


class Callbacks:
    """Several callbacks as one; each of them is called, regardless of the return values of the others.

    Args:
        callbacks: objects with the methods of `Callback`; `on_epoch_begin` and `on_batch_end`, which were added later,
            may be missing.
        estimator: passed to each.
    """

    def __init__(self, callbacks: Sequence[Any], estimator: Any) -> None:
        self._all, self._estimator = callbacks, estimator
        # calling all of them after every batch would slow down small batches too much
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
        """The function to call after every batch, or None if no callback needs it."""
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
