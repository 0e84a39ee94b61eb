"""One training of an estimator's network, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mlplab.errors import DivergenceError
from mlplab.estimators.fitted_network import FittedNetwork
from mlplab.estimators.training_state import TrainingState, stops_early
from mlplab.nn.schedules import HORIZON_DEPENDENT
from mlplab.training.batches import Rows
from mlplab.training.build import AnySettings, build_trainer
from mlplab.training.callbacks import Callback, Callbacks
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.history import Epoch
from mlplab.training.lbfgs import run_lbfgs
from mlplab.training.progress import FitDisplay
from mlplab.training.trainer import Trainer
from mlplab.utils.warn import warn

#: scikit-learn's message for parameters that are not finite; programs search for it.
SKLEARN_NONFINITE_MESSAGE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


class Fit:
    """One training: it makes epochs, decides after each whether to stop, and keeps the best weights.

    Args:
        estimator: handed to the callbacks.
        settings: of the training.
        network, state: what is trained, changed in place; the state has a learner for the network.
        training: the rows to learn from.
        validation: the rows to measure on after every epoch, or None.
        score: returns the score that early stopping watches, from an epoch and the validation rows.
        listeners: callbacks beside those of the settings.
    """

    def __init__(
        self,
        estimator: Any,
        settings: AnySettings,
        network: FittedNetwork,
        state: TrainingState,
        training: Rows,
        validation: Rows | None,
        score: Callable[[Epoch, Rows], float],
        listeners: Sequence[Callback] = (),
    ) -> None:
        assert state.learner is not None
        self._settings, self._network, self._state, self._learner = settings, network, state, state.learner
        self._training, self._validation, self._score = training, validation, score
        display = [FitDisplay()] if settings.verbose else []
        self._callbacks = Callbacks([*settings.callbacks, *listeners, *display], estimator)
        self._checkpoint: Checkpoint | None = None
        self._identity: Mapping[str, Any] = {}
        self._last_epoch = 0

    # ---- train ---------------------------------------------------------------------------------------------------

    def use_checkpoint(
        self, checkpoint: Checkpoint, identity: Mapping[str, Any], saved: Mapping[str, Any] | None
    ) -> int:
        """Write the state to a checkpoint after epochs, and return how many epochs are left to make.

        Args:
            identity: what determines the result of this fit.
            saved: what the checkpoint holds already, to be continued; None where there is none.

        Raises:
            ModelFileError: for the checkpoint of another fit.
        """
        self._checkpoint, self._identity = checkpoint, identity
        if saved:
            checkpoint.resume(self._state, saved, identity)
            self._state.set_patience(self._settings)
            return 0 if self._state.patience.exhausted else self._settings.max_iter - self._state.epochs
        return self._settings.max_iter

    def run(self, epochs: int) -> None:
        """Train for at most `epochs` epochs. Ctrl-C ends the training with a warning."""
        state, settings = self._state, self._settings
        state.training_rows, state.interrupted = len(self._training), False
        state.history.diverged_in = None  # a fit with early stopping may have survived it
        state.set_patience(settings)
        self._last_epoch = len(state.history) + epochs
        task, histories = self._network.task, [state.history]
        trainer = build_trainer([settings], self._learner, task, self._training, self._validation, histories)
        if self._callbacks.on_fit_begin():
            epochs = 0
        try:
            self._run(trainer, epochs)
        except KeyboardInterrupt:
            state.interrupted = True
            warn("Training interrupted by user.")
        finally:
            self._callbacks.on_fit_end()

    def _run(self, trainer: Trainer, epochs: int) -> None:
        settings, callbacks = self._settings, self._callbacks
        if settings.solver == "lbfgs":  # its gradient decides when to stop
            tol = 0.0 if settings.tol is None else settings.tol
            run_lbfgs(trainer, max_iter=epochs, max_fun=settings.max_fun, tol=tol, on_epoch_end=self._take_epoch)
        else:
            trainer.run(epochs, self.on_epoch_end, callbacks.on_epoch_begin, callbacks.on_batch_end)

    def on_epoch_end(self) -> bool:
        """Take the epoch that the history ends with; return whether the training ends with it."""
        stop, patience = self._take_epoch(), self._state.patience
        if patience.exhausted and not self._learner.schedule.on_no_improvement():
            patience.reset()
        stop = patience.exhausted or stop
        if self._checkpoint:
            last = stop or len(self._state.history) == self._last_epoch
            self._checkpoint.write(self._state, self._identity, last=last)
        return stop

    def _take_epoch(self) -> bool:
        """Score the epoch that the history ends with, and return whether a callback stops the training."""
        state, early = self._state, stops_early(self._settings)
        epoch = state.history.epochs[-1]
        state.rows_seen = self._learner.rows
        if early:
            assert self._validation is not None
            state.validation_scores.append(self._score(epoch, self._validation))
        if state.patience.update(-state.validation_scores[-1] if early else epoch.objective):
            state.best = self._network.copy_arrays() if early else None
        return self._callbacks.on_epoch_end(epoch)

    # ---- conclude ------------------------------------------------------------------------------------------------

    def conclude(self) -> None:
        """End a `fit`: put the best weights back, and warn where the training has not converged.

        Raises:
            DivergenceError: where the loss stopped being finite and no best weights were kept.
        """
        state = self._state
        if state.history.diverged_in:
            if state.best is None:
                raise DivergenceError(f"{self._describe_divergence()}. {SKLEARN_NONFINITE_MESSAGE}")
            state.validation_scores.append(np.nan)
            warn(f"{self._describe_divergence()}; the weights of the best epoch are kept", ConvergenceWarning)
        self._warn_of_unfinished_plan()
        self._warn_of_too_few_epochs()
        state.keep_best(self._network)

    def conclude_pass(self) -> None:
        """End a `partial_fit`: put the best weights back once early stopping has had enough.

        Raises:
            DivergenceError: where the loss stopped being finite.
        """
        state = self._state
        if state.history.diverged_in:
            raise DivergenceError(f"{self._describe_divergence()}. {SKLEARN_NONFINITE_MESSAGE}")
        if stops_early(self._settings) and state.patience.exhausted:
            state.keep_best(self._network)

    def _describe_divergence(self) -> str:
        return (
            f"the loss stopped being finite in epoch {self._state.history.diverged_in}: "
            f"lower learning_rate_init={self._settings.learning_rate_init:g} or scale the features"
        )

    def _warn_of_unfinished_plan(self) -> None:
        """Warn where `tol` ended the training before a schedule or an average could do its work in the last epochs."""
        settings, epochs = self._settings, self._state.epochs
        planned = settings.learning_rate if settings.learning_rate in HORIZON_DEPENDENT else None
        plan = "average_epochs" if settings.average_epochs else planned and f"learning_rate={planned!r}"
        stopped = self._state.patience.exhausted and not stops_early(settings) and epochs < settings.max_iter
        if plan and stopped:
            warn(
                f"tol ended the training in epoch {epochs} of {settings.max_iter}, before {plan} could do its "
                "work; tol=None goes to the end",
                ConvergenceWarning,
            )

    def _warn_of_too_few_epochs(self) -> None:
        settings, state = self._settings, self._state
        limited = settings.tol is not None and settings.solver != "lbfgs" and not state.patience.exhausted
        if limited and state.epochs == settings.max_iter:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
            )
