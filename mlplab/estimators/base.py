"""What the classifier and the regressor share: from checked rows to a trained network, and from rows to its outputs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlplab.engine.base import Array, Engine
from mlplab.errors import DataError, DivergenceError, SettingError
from mlplab.estimators.fitted import FittedAttributes, FittedState
from mlplab.estimators.sklearn_callbacks import CallbackSupportMixin, Listeners
from mlplab.estimators.summary import Summary, describe_training, summarize
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.losses import Loss
from mlplab.nn.normalization import NORMALIZATIONS
from mlplab.nn.schedules import HORIZON_DEPENDENT
from mlplab.training.batches import Rows, hash_rows, set_apart
from mlplab.training.build import (
    build_engine,
    build_learner,
    build_loss,
    build_network,
    build_trainer,
    name_in,
    renew_network,
    set_start,
)
from mlplab.training.callbacks import Callback, Callbacks
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.history import Epoch, History
from mlplab.training.lbfgs import run_lbfgs
from mlplab.training.prediction import Predictor
from mlplab.training.progress import FitDisplay
from mlplab.training.settings import RegressorSettings, Settings, check_settings, is_integer
from mlplab.training.stopping import Patience
from mlplab.training.tasks import Task
from mlplab.training.trainer import EVALUATION_BATCH, Learner
from mlplab.utils.hashing import hash_arrays
from mlplab.utils.randomness import seed_from
from mlplab.version import NUMERICS

#: What scikit-learn says of parameters that are not finite; programs look for it.
SKLEARN_NONFINITE_MESSAGE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)

#: Settings that change nothing of the epochs that a checkpoint holds, or are told in its identity otherwise.
_NOT_IN_IDENTITY = ("callbacks", "max_iter", "n_iter_no_change", "random_state", "tol", "verbose", "warm_start")


class NeuralNetwork(FittedAttributes, CallbackSupportMixin, BaseEstimator):
    """The base of the estimators, which are also `Settings`: they know what the answers y are."""

    _task: Task
    _loss: Loss
    _learner: Learner
    _patience: Patience
    _best: dict[str, Array] | None
    history_: History

    #: What changes as training goes on, and a checkpoint holds.
    state_attributes = ("_learner", "_patience", "_best", "_validation_scores", "_epochs_before", "t_", "history_")

    # ---- fit -----------------------------------------------------------------------------------------------------

    def _check_rows(self, X: npt.ArrayLike, y: npt.ArrayLike, *, reset: bool) -> tuple[Array, Array]:
        """Return X and y as arrays, checked."""
        checked: tuple[Array, Array] = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype="numeric",
            multi_output=True,
            # rows in one piece each: gathering a batch of 200 from 50,000 columns apart took 66 ms instead of 0.02
            order="C",
        )
        return checked

    def _training_rows(self, X: Array, answers: Array, sample_weight: npt.ArrayLike | None) -> Rows:
        dtype = self._dtype_for(X)
        weights = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True)
        )
        return Rows(in_range(X, dtype), answers, self._settings().input_scale, weights)

    def _settings(self) -> Settings | RegressorSettings:
        assert isinstance(self, Settings | RegressorSettings)
        return self

    def _begin(self, going_on: bool) -> None:
        settings = self._settings()
        check_settings(
            {f.name: getattr(self, f.name) for f in fields(settings)},
            of=Settings if isinstance(self, Settings) else RegressorSettings,
        )
        if not going_on:
            self._forget()

    def _forget(self) -> None:
        """Leave no old network behind: a fit that fails has none."""
        for name in ("_network", "_learner"):
            self.__dict__.pop(name, None)

    def _dtype_for(self, X: Array) -> np.dtype[Any]:
        wide = X.dtype.kind == "f" and X.dtype.itemsize >= 8  # a long double is wider still
        return np.dtype(self._settings().dtype or (np.float64 if wide else np.float32))

    def _set_features(self, count: int, names: Sequence[str] | None) -> None:
        self.n_features_in_ = count
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def _fit(
        self,
        training: Rows,
        validation: Rows | None,
        *,
        stratify: Array | None = None,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
        going_on: bool = False,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
        data: str = "",
        listeners: Sequence[Listeners] = (),
    ) -> None:
        """Train on the rows: a new network, or with `going_on` the one there is, by a new optimizer.

        stratify: the class of every row, where early stopping sets some apart by itself.
        data: what a checkpoint knows the rows by.
        """
        settings = self._settings()
        seed = seed_from(settings.random_state)
        if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
            checkpoint = Checkpoint(checkpoint)
        saved = checkpoint.read() if checkpoint else None
        if saved and not is_integer(settings.random_state):
            seed = saved["identity"]["seed"]
        data = data or (hash_rows(training, validation) if checkpoint else "")
        if self._stops_early() and validation is None:
            training, validation = set_apart(training, settings.validation_fraction, seed, stratify)
        rows_before = self.t_ if going_on else 0
        if going_on:
            self._renew()
        else:
            self._build(build_engine(settings, self._dtype_for(training.X)), seed, coef_init, intercept_init)
        self._learner = build_learner(settings, self._network, [seed], rows_before)
        self._epochs_before = len(self.history_)
        epochs, keep = settings.max_iter, None
        if checkpoint:
            identity = self._identity(seed, data)
            keep = partial(checkpoint.write, self, identity)
            if saved:
                checkpoint.resume(self, saved, identity)
                self._set_patience()
                epochs = 0 if self._patience.exhausted else settings.max_iter - self.n_iter_
        self._train(training, validation, epochs, keep=keep, listeners=listeners)
        for listener in listeners:
            listener.close(self)

    def _listeners(self, X: Any, y: Any, sample_weight: Any) -> list[Listeners]:
        """Return what tells scikit-learn's callbacks of a fit to these data, if there are any."""
        return [Listeners(X, y, sample_weight)] if hasattr(self, "_skl_callbacks") else []

    def _identity(self, seed: int, data: str) -> dict[str, Any]:
        """Return what determines the result of a fit whose start weights are drawn: plain data by name."""
        settings = self._settings()
        if settings.solver == "lbfgs":
            raise SettingError("checkpoint does not go with solver='lbfgs', which keeps its memory to itself")
        values = {f.name: getattr(self, f.name) for f in fields(settings) if f.name not in _NOT_IN_IDENTITY}
        if settings.learning_rate in HORIZON_DEPENDENT or settings.average_epochs:
            values["max_iter"] = settings.max_iter
        start = hash_arrays(self._network.theta.flat)
        plain = {name: _plain(value) for name, value in values.items()}
        return {**plain, "seed": seed, "numerics": NUMERICS, "data": data, "start": start}

    def _fit_once(self, training: Rows, validation: Rows | None) -> None:
        """Make one pass over the rows, with the optimizer and the order of the passes before."""
        settings = self._settings()
        if hasattr(self, "_learner") and self._learner.optimizer is None:
            del self._learner  # lbfgs has no passes: they begin anew, from its weights
        seed = seed_from(settings.random_state) if not hasattr(self, "_learner") else 0
        if hasattr(self, "_network"):
            self._renew()
        else:
            self._build(build_engine(settings, self._dtype_for(training.X)), seed)
        if not hasattr(self, "_learner"):
            self._learner = build_learner(settings, self._network, [seed], self.t_)
        self._epochs_before = len(self.history_)
        self._train(training, validation, 1, passes=True)

    def _build(
        self,
        engine: Engine,
        seed: int,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
    ) -> None:
        """Make the network, its weights the given ones or drawn with the seed, and an empty history."""
        settings = self._settings()
        self._loss = build_loss(settings, self._task)
        self._network = build_network(settings, self.n_features_in_, self._task.outputs, engine, [seed])
        set_start("coef_init", coef_init, self.coefs_)
        set_start("intercept_init", intercept_init, self.intercepts_)
        if not settings.fit_intercept and any(np.any(start) for start in intercept_init or ()):
            raise DataError("intercept_init must be zeros, for fit_intercept=False has no intercepts")
        self.out_activation_ = self._loss.out_activation
        self.history_, self.t_, self._best, self._epochs_before = History(), 0, None, 0
        self._validation_scores = []
        self._patience = Patience(0.0, settings.n_iter_no_change)

    def _renew(self) -> None:
        """Take what the settings say now, for a network that is there.

        Raises:
            SettingError: where that would be another network.
        """
        settings = self._settings()
        renew_network(settings, self._network)
        self._loss = build_loss(settings, self._task)
        self.out_activation_ = self._loss.out_activation

    def _train(
        self,
        training: Rows,
        validation: Rows | None,
        epochs: int,
        *,
        passes: bool = False,
        keep: Callable[..., None] | None = None,
        listeners: Sequence[Callback] = (),
    ) -> None:
        """Make some more epochs.

        passes: whether they are those of `partial_fit`.
        keep: writes the state after an epoch; told whether it is the `last`.
        """
        settings, learner = self._settings(), self._learner
        self.n_training_rows_, last = len(training), len(self.history_) + epochs
        self.history_.diverged_in = None  # which early stopping survives
        self._set_patience()
        early = self._stops_early()
        trainer = build_trainer([settings], learner, self._task, training, validation, [self.history_])
        display = [FitDisplay()] if settings.verbose else []
        callbacks = Callbacks([*settings.callbacks, *listeners, *display], self)

        def on_epoch_end() -> bool:
            epoch = self.history_.epochs[-1]
            self.t_ = learner.rows
            if early:
                assert validation is not None
                self._validation_scores.append(self._validation_score(epoch, validation))
            if self._patience.update(-self._validation_scores[-1] if early else epoch.objective):
                self._best = self._copies() if early else None
            stop = callbacks.on_epoch_end(epoch)
            if settings.solver == "lbfgs":  # which knows by its gradient when to stop
                return stop
            if self._patience.exhausted and not learner.schedule.on_no_improvement():
                self._patience.reset()
            stop = self._patience.exhausted or stop
            if keep:
                keep(last=stop or len(self.history_) == last)
            return stop

        self.interrupted_ = False
        if callbacks.on_fit_begin():
            epochs = 0
        try:
            if settings.solver == "lbfgs":
                tol = 0.0 if settings.tol is None else settings.tol
                run_lbfgs(trainer, max_iter=epochs, max_fun=settings.max_fun, tol=tol, on_epoch_end=on_epoch_end)
            else:
                trainer.run(epochs, on_epoch_end, callbacks.on_epoch_begin, callbacks.on_batch_end)
        except KeyboardInterrupt:
            self.interrupted_ = True
            warnings.warn("Training interrupted by user.", stacklevel=4)
        finally:
            callbacks.on_fit_end()
        self._after_training(passes)

    def _set_patience(self) -> None:
        """Take the settings of now, which may not be those of the fit that this one continues."""
        settings = self._settings()
        self._patience.tol = -np.inf if settings.tol is None else settings.tol
        self._patience.n_iter_no_change = settings.n_iter_no_change

    def _after_training(self, passes: bool) -> None:
        settings = self._settings()
        if self.history_.diverged_in:
            what = (
                f"the loss stopped being finite in epoch {self.history_.diverged_in}: "
                f"lower learning_rate_init={settings.learning_rate_init:g} or scale the features"
            )
            if passes or self._best is None:
                self._forget()
                raise DivergenceError(f"{what}. {SKLEARN_NONFINITE_MESSAGE}")
            self._validation_scores.append(np.nan)
            warnings.warn(f"{what}; the weights of the best epoch are kept", ConvergenceWarning, stacklevel=6)
        if passes:
            if self._stops_early() and self._patience.exhausted:
                self._put_best()
            return
        self._warn_of_unfinished_plans()
        limited = settings.tol is not None and settings.solver != "lbfgs" and not self._patience.exhausted
        if limited and self.n_iter_ == settings.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )
        self._put_best()

    def _warn_of_unfinished_plans(self) -> None:
        """Say so where `tol` ended the training before what was planned for its last epochs."""
        settings = self._settings()
        planned = settings.learning_rate if settings.learning_rate in HORIZON_DEPENDENT else None
        plan = "average_epochs" if settings.average_epochs else planned and f"learning_rate={planned!r}"
        if plan and self._patience.exhausted and not self._stops_early() and self.n_iter_ < settings.max_iter:
            warnings.warn(
                f"tol ended the training in epoch {self.n_iter_} of {settings.max_iter}, before {plan} could do its "
                "work; tol=None goes to the end",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _put_best(self) -> None:
        """Put the best epoch's weights back, where early stopping has kept them."""
        if self._best is not None:
            for name, view in self.arrays().items():
                view[...] = self._best[name]
            self._learner.average.settle()

    def _copies(self) -> dict[str, Array]:
        return {name: view.copy() for name, view in self.arrays().items()}

    def arrays(self) -> dict[str, Array]:
        """Return views of everything that predictions depend on, by the names that model files use."""
        return self._fitted_network().arrays()

    def _validation_score(self, epoch: Epoch, validation: Rows) -> float:
        """Return what early stopping maximizes: the metric that the task watches, for the validation rows."""
        return epoch.score(self._task.watched)

    def _restore(self, left: FittedState) -> None:
        """Put this estimator, whose task is set, into the state that a fit had left.

        Raises:
            DataError: for arrays or names that do not fit one another.
        """
        arrays, names = left.arrays, left.feature_names
        inputs = len(arrays["coefs.0"])
        if names is not None and len(names) != inputs:
            raise DataError("the feature names do not fit the weights")
        self._set_features(inputs, names)
        self._build(build_engine(self._settings(), arrays["coefs.0"].dtype), 0)
        views = self.arrays()
        if {name: (view.shape, view.dtype) for name, view in views.items()} != {
            name: (array.shape, array.dtype) for name, array in arrays.items()
        }:
            self._forget()
            raise DataError("the weights do not fit the settings")
        for name, view in views.items():
            view[...] = arrays[name]
        self.history_, self.n_training_rows_ = left.history, left.n_training_rows
        scores = left.validation_scores
        if scores is None:
            scores = [epoch.score(self._task.watched) for epoch in left.history]
        self._validation_scores = scores
        self.t_ = len(left.history) * left.n_training_rows

    # ---- predict -------------------------------------------------------------------------------------------------

    def _check(self, X: npt.ArrayLike) -> Array:
        check_is_fitted(self)
        checked: Array = validate_data(self, X, reset=False, accept_sparse="csr", dtype="numeric", order="C")
        return in_range(checked, self._network.engine.dtype)

    def _of_logits(self, function: Callable[[Any, Array], Array], X: Array, rows: Array | None) -> Array:
        """Return ``function(xp, logits)`` of the rows of X with these numbers, None for all as they lie: (N, ...)."""
        engine, predictor, parts, size = self._network.engine, Predictor(self._network, self._loss), [], 0
        scale, numbers = self._settings().input_scale, np.arange(X.shape[0]) if rows is None else rows
        in_place = rows is None and isinstance(X, np.ndarray) and X.dtype == engine.dtype and scale == 1
        for part in _parts(numbers):
            if len(part) != size:
                size = len(part)
                buffer = engine.empty(1, size, X.shape[1])
            if in_place:
                batch = X[None, part[0] : part[0] + size]
            else:
                batch = buffer
                engine.gather(X, part[None], batch, scale)
            with engine.quiet():
                z = predictor.logits(batch)
            parts.append(engine.to_numpy(function(engine.xp, z))[0].copy())
        return np.concatenate(parts)

    def _outputs(self, X: Array, rows: Array | None) -> Array:
        """Return what the loss makes of the logits, probabilities or values, (N, C)."""

        def predict(xp: Any, z: Array) -> Array:
            self._loss.predict(xp, z)
            return z

        return self._of_logits(predict, X, rows)

    # ---- what it tells -------------------------------------------------------------------------------------------

    def summary(self) -> Summary:
        """Return the layers with their shapes and parameters, and how the training went; ``print`` shows it."""
        check_is_fitted(self)
        names = [name_in(ACTIVATIONS, part) or type(part).__name__ for part in self._network.activations[:-1]]
        facts = [self._describe_targets(), *describe_training(self.history_, self.n_training_rows_)]
        normalization = self._network.normalization
        kind = normalization and (name_in(NORMALIZATIONS, normalization) or type(normalization).__name__)
        title = type(self).__name__
        return summarize(title, self._network, [*names, self.out_activation_], kind or "", facts, self.history_)

    def _describe_targets(self) -> str:
        """Return what the outputs stand for."""
        raise NotImplementedError

    def _html_repr(self) -> str:
        """Return scikit-learn's diagram, and after `fit` what `summary` tells."""
        theirs: str = super()._html_repr()
        return theirs + self.summary().to_html() if hasattr(self, "_network") else theirs

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _has_passes(self) -> bool:
        """Whether `partial_fit` is there: not for a solver that needs all rows at once."""
        if self._settings().solver == "lbfgs":
            raise AttributeError("partial_fit needs a solver that learns batch by batch; lbfgs sees all rows at once")
        return True


def _plain(value: Any) -> Any:
    """Return a setting as text: names and numbers read as they are, objects of the user's own as their type."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return repr(value) if value is None or isinstance(value, str | Real | Mapping) else _name_of(value)


def _name_of(part: Any) -> str:
    kind = part if hasattr(part, "__qualname__") else type(part)
    return f"{kind.__module__}.{kind.__qualname__}"


def in_range(X: Array, dtype: np.dtype[Any], what: str = "X") -> Array:
    """Return X, which stays as it is whatever its type.

    Raises:
        DataError: where it holds a value that batches of `dtype` could not.
    """
    largest = np.finfo(dtype).max
    if X.dtype.kind == "f" and X.dtype.itemsize > dtype.itemsize:
        for part in _parts(np.asarray(X.data) if issparse(X) else X):  # a memory map is read once
            if part.max() > largest or part.min() < -largest:
                raise DataError(f"{what} holds values beyond {largest:.2g}, the largest {dtype}: scale them")
    return X


def _parts(rows: Array) -> Iterator[Array]:
    return (rows[start : start + EVALUATION_BATCH] for start in range(0, len(rows), EVALUATION_BATCH))
