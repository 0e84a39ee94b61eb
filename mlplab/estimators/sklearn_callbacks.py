"""scikit-learn's callbacks, from 1.9 on: those of `set_callbacks`, the estimator's own or a meta-estimator's."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from mlplab.training.callbacks import Callback
from mlplab.training.history import Epoch

__all__ = ["CallbackSupportMixin", "Listeners", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the class that is not there."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method as it is."""
        return method


#: Attributes that belong to the fit that is going on, not to what it has reached.
_OF_THE_FIT = (
    "_learner",
    "_patience",
    "_best",
    "_callback_fit_ctx",
    "_skl_callbacks_to_teardown",
    "_parent_callback_ctx",
)


class Listeners(Callback):
    """Tells scikit-learn's callbacks of the fit, a task, and of its epochs, its subtasks.

    X, y, sample_weight: of the training, handed on to them.
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
        if self._epoch is None:  # lbfgs does not say when an iteration begins
            self.on_epoch_begin(estimator, epoch.epoch)
        return bool(self._end(estimator, self._epoch))

    def close(self, estimator: Any) -> None:
        """Tell them that the fit has ended, and the estimator is what it will be."""
        self._end(estimator, self._fit)

    def _end(self, estimator: Any, task: Any) -> Any:
        self._epoch = None
        return task.call_on_fit_task_end(
            estimator=estimator, **self._data, reconstruction_attributes=lambda: _reached(estimator)
        )


def _reached(estimator: Any) -> dict[str, Any]:
    """Return copies of what a fit has reached so far: enough to predict with."""
    left_out = {*_OF_THE_FIT, "_skl_callbacks", *estimator.get_params(deep=False)}
    return {name: deepcopy(value) for name, value in vars(estimator).items() if name not in left_out}
