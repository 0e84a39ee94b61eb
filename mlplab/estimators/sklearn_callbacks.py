"""Support for scikit-learn's own callbacks (1.9 and later), which `set_callbacks` of an estimator or a search sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlplab.training.callbacks import Callback
from mlplab.training.history import Epoch

__all__ = ["CallbackSupportMixin", "Listeners", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for the class that is missing."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method unchanged."""
        return method


class Listeners(Callback):
    """Calls scikit-learn's callbacks for the fit, which is a task, and for its epochs, which are its subtasks.

    X, y, sample_weight: as passed to `fit`; the callbacks receive them.
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any) -> None:
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"X": X, "y": y, "metadata": metadata}
        self._fit: Any = None
        self._epoch: Any = None

    def on_fit_begin(self, estimator: Any) -> None:
        self._fit = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        self._fit.call_on_fit_task_begin(estimator=estimator, **self._data)

    def on_epoch_begin(self, estimator: Any, epoch: int) -> None:
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=estimator, **self._data)

    def on_epoch_end(self, estimator: Any, epoch: Epoch) -> bool:
        if self._epoch is None:  # lbfgs does not report the beginning of an iteration
            self.on_epoch_begin(estimator, epoch.epoch)
        return bool(self._end(estimator, self._epoch))

    def close(self, estimator: Any) -> None:
        """End the task of the fit, once the estimator has its final weights."""
        self._end(estimator, self._fit)

    def _end(self, estimator: Any, task: Any) -> Any:
        self._epoch = None
        return task.call_on_fit_task_end(
            estimator=estimator, **self._data, reconstruction_attributes=estimator.copy_results
        )
