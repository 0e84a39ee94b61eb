"""What the classifier and the regressor share: from checked rows to a trained network."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from mlplab.engine.base import Array
from mlplab.errors import DataError, DivergenceError
from mlplab.estimators.fit import Fit
from mlplab.estimators.fitted import FittedAttributes, FittedState
from mlplab.estimators.fitted_network import FittedNetwork
from mlplab.estimators.sklearn_callbacks import CallbackSupportMixin, Listeners, with_callbacks
from mlplab.estimators.summary import Summary, describe_training, summarize
from mlplab.estimators.training_state import TrainingState, stops_early
from mlplab.estimators.validation import as_settings, check_rows, computing_dtype, set_features, to_rows
from mlplab.training.batches import Rows, hash_rows, set_apart
from mlplab.training.build import set_start
from mlplab.training.checkpoint import Checkpoint, fit_identity
from mlplab.training.history import Epoch
from mlplab.training.settings import RegressorSettings, Settings, check_settings, is_integer
from mlplab.training.stopping import Patience
from mlplab.training.tasks import Task
from mlplab.utils.randomness import seed_from


class NeuralNetwork(FittedAttributes, CallbackSupportMixin, BaseEstimator):
    """The base of the estimators, which are also `Settings`: they define the task, the targets and the predictions.

    Attributes:
        network_: the `FittedNetwork`; there is none before `fit`, nor after a fit that failed.
    """

    _task: Task

    # ---- fit -----------------------------------------------------------------------------------------------------

    @with_callbacks
    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> Self:
        """Train a new network, or with `warm_start` continue to train the present one.

        Args:
            X: (rows, features), numbers; also a sparse matrix or a data frame.
            y: of a classifier, (rows,) classes of any kind, or (rows, labels) of 0 and 1 where a row may have several;
                of a regressor, (rows,) or (rows, outputs), numbers.
            sample_weight: (rows,), how much each row counts.
            X_val, y_val: rows to measure on after every epoch. They are not trained on, but `early_stopping` chooses
                the epoch by them.
            coef_init, intercept_init: initial weights (I, O) and biases (O,) of every layer.
            checkpoint: a file, or a `Checkpoint` of it. The state of the training is written to it after epochs. Where
                the file exists, the fit resumes from it and gives the result of a fit that was never interrupted, bit
                for bit. A checkpoint belongs to these data and settings; only `max_iter`, `tol` and `n_iter_no_change`
                may change.

        Raises:
            SettingError: for a parameter that is not allowed.
            DataError, ValueError: for data that cannot be used.
            DivergenceError: when the loss stops being finite; `history_` keeps the epochs before.
            ModelFileError: for a checkpoint that is damaged or belongs to another fit.
        """
        continued = as_settings(self).warm_start and self.__sklearn_is_fitted__()
        self._begin(continued)
        training = self._training_rows(X, y, sample_weight, reset=not continued)
        # scikit-learn's callbacks receive what was passed
        listeners = [Listeners(X, y, sample_weight)] if hasattr(self, "_skl_callbacks") else []
        self._fit(
            training,
            self._validation_rows(X_val, y_val),
            coef_init=coef_init,
            intercept_init=intercept_init,
            continued=continued,
            checkpoint=checkpoint,
            listeners=listeners,
        )
        return self

    def _fit(
        self,
        training: Rows,
        validation: Rows | None,
        *,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
        continued: bool = False,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
        data: str = "",
        listeners: Sequence[Listeners] = (),
    ) -> None:
        """Train on the rows by a new optimizer: a new network, or the present one where the fit is `continued`.

        data: identifies the rows in a checkpoint; "" computes their hash.
        """
        settings = as_settings(self)
        seed = seed_from(settings.random_state)
        if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
            checkpoint = Checkpoint(checkpoint)
        saved = checkpoint.read() if checkpoint else None
        if saved and not is_integer(settings.random_state):
            seed = saved["identity"]["seed"]
        data = data or (hash_rows(training, validation) if checkpoint else "")
        if stops_early(settings) and validation is None:
            strata = self._task.strata(training.y)
            training, validation = set_apart(training, settings.validation_fraction, seed, strata)
        if continued:
            self.network_ = self.network_.with_settings(settings)
        else:
            self._build(computing_dtype(settings, training.X), seed, coef_init, intercept_init)
        self._training.set_learner(settings, self.network_, seed)
        fit, epochs = self._new_fit(training, validation, listeners), settings.max_iter
        if checkpoint:
            identity = fit_identity(settings, self.network_.network, seed, data)
            epochs = fit.use_checkpoint(checkpoint, identity, saved)
        self._run(fit, epochs, fit.conclude)
        for listener in listeners:
            listener.close(self)

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, classes: npt.ArrayLike | None = None
    ) -> None:
        """Make one pass over the rows, with the optimizer and the order of the passes before."""
        settings = as_settings(self)
        if settings.early_stopping and X_val is None:
            raise DataError("partial_fit does not support early_stopping=True without X_val and y_val to watch")
        continued = self.__sklearn_is_fitted__()
        self._begin(continued)
        training = self._training_rows(X, y, sample_weight, reset=not continued, classes=classes)
        validation = self._validation_rows(X_val, y_val)
        learner = self._training.learner if continued else None
        if learner and learner.optimizer is None:
            learner = None  # of lbfgs, which makes no passes: they start from its weights
        seed = 0 if learner else seed_from(settings.random_state)
        if continued:
            self.network_ = self.network_.with_settings(settings)
        else:
            self._build(computing_dtype(settings, training.X), seed)
        if learner is None:
            self._training.set_learner(settings, self.network_, seed)
        fit = self._new_fit(training, validation)
        self._run(fit, 1, fit.conclude_pass)

    def _begin(self, continued: bool) -> None:
        settings = as_settings(self)
        of = Settings if isinstance(self, Settings) else RegressorSettings
        check_settings({f.name: getattr(self, f.name) for f in fields(settings)}, of=of)
        if not continued:
            self._forget()

    def _forget(self) -> None:
        """Remove the network, so that a fit that fails leaves none; the history stays."""
        if self.__sklearn_is_fitted__():
            del self.network_
            self._training.learner = None

    def _build(
        self,
        dtype: np.dtype[Any],
        seed: int,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
    ) -> None:
        """Make a network with the given weights, or drawn with the seed, and the state of a training not yet begun."""
        settings = as_settings(self)
        self.network_ = FittedNetwork.build(settings, self._task, self.n_features_in_, dtype, seed)
        set_start("coef_init", coef_init, self.network_.coefs)
        set_start("intercept_init", intercept_init, self.network_.intercepts)
        if not settings.fit_intercept and any(np.any(start) for start in intercept_init or ()):
            raise DataError("intercept_init must be zeros: a network with fit_intercept=False has no intercepts")
        self._training = TrainingState(Patience(0.0, settings.n_iter_no_change))

    def _new_fit(self, training: Rows, validation: Rows | None, listeners: Sequence[Listeners] = ()) -> Fit:
        self._training.epochs_before = len(self._training.history)
        score, network = self._validation_score, self.network_
        return Fit(self, as_settings(self), network, self._training, training, validation, score, listeners)

    def _run(self, fit: Fit, epochs: int, conclude: Callable[[], None]) -> None:
        fit.run(epochs)
        try:
            conclude()
        except DivergenceError:
            self._forget()
            raise

    # ---- rows ----------------------------------------------------------------------------------------------------

    def _training_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool, classes: npt.ArrayLike | None = None
    ) -> Rows:
        """Return checked rows to train on; with `reset` they define the features and the task.

        classes: of a classifier, all there are; None takes those of y.
        """
        X, y = check_rows(self, X, y, reset=reset)
        targets = self._targets(X, y, "y", reset=reset, classes=classes)
        return to_rows(as_settings(self), X, targets, sample_weight)

    def _validation_rows(self, X_val: Any, y_val: Any) -> Rows | None:
        """Return checked rows to measure on, or None where none are given."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise DataError("X_val and y_val belong together; only one of them was given")
        X, y = check_rows(self, X_val, y_val, reset=False)
        return to_rows(as_settings(self), X, self._targets(X, y, "y_val"))

    def _targets(
        self, X: Array, y: Array, what: str, *, reset: bool = False, classes: npt.ArrayLike | None = None
    ) -> Array:
        """Return the targets of checked rows in the form that the task works with.

        Args:
            what: names y in messages.
            reset: whether y, or the `classes`, define the task.
        """
        raise NotImplementedError

    def _validation_score(self, epoch: Epoch, validation: Rows) -> float:
        """Return the score of an epoch that early stopping maximizes."""
        return epoch.score(self._task.watched)

    def _restore(self, left: FittedState) -> None:
        """Put this estimator, whose task is set, into the state that a fit had left.

        Raises:
            DataError: for arrays or names that do not fit together.
        """
        inputs, names = len(left.arrays["coefs.0"]), left.feature_names
        if names is not None and len(names) != inputs:
            raise DataError("the feature names do not fit the weights")
        set_features(self, inputs, names)
        self._build(left.arrays["coefs.0"].dtype, 0)
        try:
            self.network_.set_arrays(left.arrays)
        except DataError:
            self._forget()
            raise
        state, scores = self._training, left.validation_scores
        state.history, state.training_rows = left.history, left.n_training_rows
        if scores is None:
            scores = [epoch.score(self._task.watched) for epoch in left.history]
        state.validation_scores = scores
        state.rows_seen = len(left.history) * left.n_training_rows

    # ---- descriptions --------------------------------------------------------------------------------------------

    def summary(self) -> Summary:
        """Return the layers with their shapes and parameters, and a report of the training; ``print`` shows it."""
        check_is_fitted(self)
        facts = [self._describe_targets(), *describe_training(self.history_, self.n_training_rows_)]
        return summarize(type(self).__name__, self.network_, facts, self.history_)

    def _describe_targets(self) -> str:
        """Return the meaning of the outputs."""
        raise NotImplementedError

    def _html_repr(self) -> str:
        """Return scikit-learn's diagram, and after `fit` the summary."""
        diagram: str = super()._html_repr()
        return diagram + self.summary().to_html() if self.__sklearn_is_fitted__() else diagram

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def has_passes(estimator: Any) -> bool:
    """Return True where the solver of an estimator trains batch by batch, so that it has `partial_fit`.

    Raises:
        AttributeError: for solver "lbfgs", which needs all rows at once.
    """
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs a solver that trains batch by batch; lbfgs needs all rows at once")
    return True
