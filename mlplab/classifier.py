"""The estimator: scikit-learn's face on the network."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mlplab.data.labels import encode
from mlplab.engine import NumpyEngine
from mlplab.engine.numpy_engine import Array
from mlplab.errors import DataError, DivergenceError
from mlplab.nn.network import Network, Workspace
from mlplab.randomness import seed_from
from mlplab.training.batches import Rows, set_apart
from mlplab.training.build import build_loss, build_network, build_trainer, layer_sizes, set_start
from mlplab.training.history import History
from mlplab.training.progress import FitDisplay
from mlplab.training.settings import SETTINGS, Settings, check_settings
from mlplab.training.stopping import Patience
from mlplab.training.trainer import EVALUATION_BATCH, Trainer


class NeuralNetworkClassifier(ClassifierMixin, BaseEstimator, Settings):
    """Classify with a fully-connected network, written from scratch.

    Its parameters have the names, defaults and meanings of those of scikit-learn's `MLPClassifier`, and there are more.
    Of scikit-learn's, solver "lbfgs", `learning_rate`, `power_t`, `warm_start` and `max_fun` are still missing.

    Parameters:
        hidden_layer_sizes: units of each hidden layer; ``()`` is a linear softmax.
        activation: of the hidden layers: "identity", "sigmoid" (the same as "logistic"), "tanh", "relu", or an object
            of your own (`mlplab.nn.activations.Activation`).
        solver: "sgd" or "adam".
        alpha: adds ½·alpha·‖W‖²/B to the mean loss of a batch of B rows (scikit-learn's L2).
        batch_size: rows of a batch; "auto" is min(200, rows).
        learning_rate_init: the learning rate.
        max_iter: epochs at most.
        shuffle: whether every epoch sees the rows in a new order.
        random_state: None, a whole number, or a numpy RandomState or Generator.
        tol: stop when `n_iter_no_change` epochs in a row have not bettered the objective (with `early_stopping`, the
            validation accuracy) by tol. None never stops before `max_iter`.
        verbose: whether to show every epoch on standard error.
        momentum, nesterovs_momentum: of solver "sgd"; 0 is plain gradient descent.
        early_stopping: whether to watch the validation accuracy, on `X_val` where `fit` is given it, else on a
            stratified `validation_fraction` of the rows; the best epoch's weights are kept.
        validation_fraction: see `early_stopping`.
        beta_1, beta_2, epsilon: of solver "adam".
        n_iter_no_change: see `tol`.
        initializer: "glorot_normal" ("xavier_normal"), "glorot_uniform" ("xavier_uniform"), "he_normal", "he_uniform",
            a function of your own (`mlplab.nn.initializers.Initializer`), or "auto": He for "relu", else Glorot.
        fit_intercept: whether layers have biases.
        weight_decay: adds ½·weight_decay·‖W‖² to the mean loss of a batch: alpha = weight_decay·B.
        loss: "cross_entropy" or an object of your own (`mlplab.nn.losses.Loss`).
        input_scale: X is multiplied by it on its way into the network, in `fit` and in predictions. With 1/255, images
            can stay uint8.
        callbacks: `mlplab.Callback` objects.
        dtype: "float32" or "float64"; None computes in float32 unless X is float64.

    Attributes:
        classes_: the labels, sorted.
        coefs_, intercepts_: W (I, O) and b (O,) of every layer: views of the parameters.
        loss_curve_: the objective (mean loss plus penalty, nats) of every epoch; loss_: the last, best_loss_: the
            lowest (None with `early_stopping`).
        validation_loss_curve_: mean nats per validation row after every epoch, or None.
        validation_scores_, best_validation_score_: the validation accuracies with `early_stopping`, else None.
        history_: a `History`: loss and accuracy of training and validation, and seconds, of every epoch.
        interrupted_: whether Ctrl-C ended the training; what had been learnt is kept.
        n_iter_: epochs made. t_: rows learnt from.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as in scikit-learn.
        n_training_rows_: rows learnt from in each epoch.
    """

    _network: Network
    history_: History

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
    ) -> NeuralNetworkClassifier:
        """Train a new network.

        Args:
            X: (rows, features), numbers. y: (rows,), labels of any kind.
            sample_weight: (rows,), how much each row counts.
            X_val, y_val: rows to measure on after every epoch; nothing is learnt from them, unless `early_stopping`
                chooses the epoch by them.
            coef_init, intercept_init: start weights (I, O) and biases (O,) of every layer.

        Raises:
            SettingError: for a parameter that is not allowed.
            DataError, ValueError: for data that cannot be used.
            DivergenceError: when the loss stops being finite; `history_` keeps the epochs before.
        """
        self._begin()
        # rows in one piece each: gathering a batch of 200 from 50,000 columns apart took 66 ms instead of 0.02
        checked: tuple[Array, Array] = validate_data(self, X, y, dtype="numeric", order="C")
        X, y = checked
        check_classification_targets(y)
        codes = self._learn_classes(y)
        dtype = self._dtype_for(X)
        weights = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, X, dtype=dtype, ensure_non_negative=True)
        )
        training = Rows(_in_range(X, dtype), codes, self.input_scale, weights)
        return self._fit(training, self._validation_rows(X_val, y_val, dtype), coef_init, intercept_init)

    def fit_rows(
        self,
        X: Array,
        y: Array,
        training: Array,
        validation: Array,
        feature_names: Sequence[str] | None = None,
    ) -> NeuralNetworkClassifier:
        """Train as `fit` does, on some rows of data that `load_dataset` has checked: no row is copied or checked again.

        Args:
            X: (N, features), C-ordered. y: (N,).
            training, validation: the numbers of the rows to learn from and of those to measure on.
        """
        self._begin()
        self._set_features(X.shape[1], feature_names)
        learnt = Rows(X, self._learn_classes(y[training]), self.input_scale, numbers=training)
        measured = Rows(X, encode(y[validation], self.classes_, "y_val"), self.input_scale, numbers=validation)
        return self._fit(learnt, measured)

    def _begin(self) -> None:
        check_settings({name: getattr(self, name) for name in SETTINGS})
        self.__dict__.pop("_network", None)  # a fit that fails leaves no old network behind the new settings

    def _learn_classes(self, y: Array) -> Array:
        """Set `classes_` and return every label as an index into them."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y must hold at least two classes; it holds one class only, {self.classes_.item(0)!r}")
        return codes

    def _set_features(self, count: int, names: Sequence[str] | None) -> None:
        self.n_features_in_ = count
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def _dtype_for(self, X: Array) -> np.dtype[Any]:
        return np.dtype(self.dtype or (np.float64 if X.dtype == np.float64 else np.float32))

    def _fit(
        self,
        training: Rows,
        validation: Rows | None,
        coef_init: Sequence[Array] | None = None,
        intercept_init: Sequence[Array] | None = None,
    ) -> NeuralNetworkClassifier:
        seed = seed_from(self.random_state)
        if self.early_stopping and validation is None:
            training, validation = set_apart(training, self.validation_fraction, seed)
        self.n_training_rows_ = len(training)
        self._build(NumpyEngine(self._dtype_for(training.X)), seed, coef_init, intercept_init)
        trainer = build_trainer([self], self._network, self._loss, len(self.classes_), training, validation, [seed])
        self._train(trainer)
        return self

    def restore(
        self,
        *,
        classes: Array,
        coefs: Sequence[Array],
        intercepts: Sequence[Array] | None,
        history: History,
        n_training_rows: int,
        feature_names: Sequence[str] | None,
    ) -> None:
        """Put this estimator into the state that a fit had left: what `load_model` read from a file.

        Raises:
            DataError: for weights or names that do not fit one another.
        """
        sizes = layer_sizes(self.hidden_layer_sizes, len(coefs[0]), len(classes))
        shapes = [*pairwise(sizes), *((o,) for o in sizes[1:] if intercepts is not None)]
        parts = [*coefs, *(intercepts or ())]
        if [part.shape for part in parts] != shapes or len({part.dtype for part in parts}) > 1:
            raise DataError("the weights do not fit the settings")
        if feature_names is not None and len(feature_names) != len(coefs[0]):
            raise DataError("the feature names do not fit the weights")
        self.classes_, self.history_, self.n_training_rows_ = classes, history, n_training_rows
        self._set_features(len(coefs[0]), feature_names)
        self._build(NumpyEngine(coefs[0].dtype), 0, coefs, intercepts)

    def _build(
        self, engine: NumpyEngine, seed: int, coef_init: Sequence[Array] | None, intercept_init: Sequence[Array] | None
    ) -> None:
        """Make the network, its weights the given ones or drawn with the seed."""
        self._loss = build_loss(self, len(self.classes_))
        self._network = build_network(self, self.n_features_in_, len(self.classes_), engine, [seed])
        set_start("coef_init", coef_init, self.coefs_)
        set_start("intercept_init", intercept_init, self.intercepts_)
        if not self.fit_intercept and any(np.any(start) for start in intercept_init or ()):
            raise DataError("intercept_init must be zeros, for fit_intercept=False has no intercepts")
        self.n_layers_, self.n_outputs_ = len(self._network.sizes), self._network.sizes[-1]
        self.out_activation_ = self._loss.out_activation

    def _validation_rows(self, X_val: Any, y_val: Any, dtype: np.dtype[Any]) -> Rows | None:
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise DataError("X_val and y_val belong together; only one of them was given")
        X_val, y_val = validate_data(self, X_val, y_val, reset=False, dtype="numeric", order="C")
        codes = encode(y_val, self.classes_, "y_val")
        return Rows(_in_range(X_val, dtype), codes, self.input_scale)

    def _train(self, trainer: Trainer) -> None:
        patience = Patience(-np.inf if self.tol is None else self.tol, self.n_iter_no_change)
        best_theta = None
        self.history_ = trainer.histories[0]
        callbacks = [*self.callbacks, *([FitDisplay()] if self.verbose else [])]

        def on_epoch_end() -> bool:
            nonlocal best_theta
            epoch = self.history_.epochs[-1]
            if patience.update(-epoch.val_accuracy if self.early_stopping else epoch.objective):
                best_theta = self._network.theta.flat.copy() if self.early_stopping else None
            # every callback is told, whatever the ones before it answer
            stops = [callback.on_epoch_end(self, epoch) for callback in callbacks]
            return patience.exhausted or any(stops)

        self.interrupted_ = False
        for callback in callbacks:
            callback.on_fit_begin(self)
        try:
            trainer.run(self.max_iter, on_epoch_end)
        except KeyboardInterrupt:
            self.interrupted_ = True
            warnings.warn("Training interrupted by user.", stacklevel=4)
        finally:
            for callback in callbacks:
                callback.on_fit_end(self)
        self._after_training(patience, best_theta)

    def _after_training(self, patience: Patience, best_theta: Array | None) -> None:
        if self.history_.diverged_in:
            del self._network
            raise DivergenceError(
                f"the loss stopped being finite in epoch {self.history_.diverged_in}: "
                f"lower learning_rate_init={self.learning_rate_init:g} or scale the features"
            )
        if self.tol is not None and not patience.exhausted and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )
        if best_theta is not None:
            self._network.theta.flat[...] = best_theta

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Return the probability of each class, (rows, classes) in the order of `classes_`."""
        return self.predict_proba_rows(self._check(X))

    def predict_proba_rows(self, X: Array, rows: Array | None = None) -> Array:
        """Return `predict_proba` of the rows of X with these numbers, neither copied nor checked: see `fit_rows`."""

        def probabilities(xp: Any, z: Array) -> Array:
            self._loss.probabilities(xp, z)
            return z

        result = self._of_logits(probabilities, X, rows)
        return result if result.shape[1] > 1 else np.hstack([1 - result, result])

    def predict_log_proba(self, X: npt.ArrayLike) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the most probable label of every row, (rows,)."""
        return self.predict_rows(self._check(X))

    def predict_rows(self, X: Array, rows: Array | None = None) -> Array:
        """Return `predict` of the rows of X with these numbers, neither copied nor checked: see `fit_rows`."""
        labels: Array = self.classes_[self._of_logits(self._loss.decide, X, rows)]
        return labels

    def _check(self, X: npt.ArrayLike) -> Array:
        check_is_fitted(self)
        checked: Array = validate_data(self, X, reset=False, dtype="numeric", order="C")
        return _in_range(checked, self._network.engine.dtype)

    def _of_logits(self, function: Callable[[Any, Array], Array], X: Array, rows: Array | None) -> Array:
        """Return ``function(xp, logits)`` of the rows of X with these numbers, None for all as they lie: (N, ...)."""
        engine, parts, size = self._network.engine, [], 0
        in_place = rows is None and X.dtype == engine.dtype and self.input_scale == 1
        for part in _parts(np.arange(len(X)) if rows is None else rows):
            if len(part) != size:
                size = len(part)
                buffer, work = engine.empty(1, size, X.shape[1]), Workspace(self._network, size)
            if in_place:
                batch = X[None, part[0] : part[0] + size]
            else:
                batch = buffer
                engine.gather(X, part[None], batch, self.input_scale)
            with engine.quiet():
                z = self._network.forward(batch, work)
            parts.append(engine.to_numpy(function(engine.xp, z))[0].copy())
        return np.concatenate(parts)

    @property
    def n_iter_(self) -> int:
        """Epochs made."""
        return len(self.history_)

    @property
    def t_(self) -> int:
        """Rows learnt from, each as often as it was."""
        return self.n_iter_ * self.n_training_rows_

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
        return None if self.early_stopping else min(self._finished_epochs()["objective"])

    @property
    def validation_loss_curve_(self) -> list[float] | None:
        """Mean nats per validation row after every epoch; None where there were none."""
        curve = self.history_["val_loss"]
        return None if np.isnan(curve).any() else curve

    @property
    def validation_scores_(self) -> list[float] | None:
        """The validation accuracy after every epoch with `early_stopping`, else None."""
        return self.history_["val_accuracy"] if self.early_stopping else None

    @property
    def best_validation_score_(self) -> float | None:
        """The best of `validation_scores_`, or None."""
        return max(self._finished_epochs()["val_accuracy"]) if self.early_stopping else None

    @property
    def coefs_(self) -> list[Array]:
        """The weights W (I, O) of every layer: views of the parameters."""
        return [W[0] for W in self._fitted_network().theta.weights]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases b (O,) of every layer: views of the parameters; zeros where there are none."""
        network = self._fitted_network()
        if network.theta.biases:
            return [b[0, 0] for b in network.theta.biases]
        return [network.engine.zeros(o) for o in network.sizes[1:]]

    def _finished_epochs(self) -> History:
        if not self.history_.epochs:  # an AttributeError, so that hasattr(estimator, "loss_") is False
            raise AttributeError("the training was interrupted in its first epoch")
        return self.history_

    def _fitted_network(self) -> Network:
        if not hasattr(self, "_network"):  # an AttributeError, so that hasattr(estimator, "coefs_") is False
            raise AttributeError("coefs_ and intercepts_ are there after fit")
        return self._network


def _in_range(X: Array, dtype: np.dtype[Any]) -> Array:
    """Return X, which stays as it is whatever its type, unless it holds a value that batches of `dtype` could not."""
    largest = np.finfo(dtype).max
    if X.dtype.kind == "f" and X.dtype.itemsize > dtype.itemsize:
        for part in _parts(X):  # a memory map is read once
            if part.max() > largest or part.min() < -largest:
                raise DataError(f"X holds values beyond {largest:.2g}, the largest {dtype}: scale the features")
    return X


def _parts(rows: Array) -> Iterator[Array]:
    return (rows[start : start + EVALUATION_BATCH] for start in range(0, len(rows), EVALUATION_BATCH))
