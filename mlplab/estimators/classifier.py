"""The classifier: scikit-learn's face on the network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags, column_or_1d, compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from mlplab.data.labels import encode
from mlplab.engine.base import Array
from mlplab.errors import DataError, SettingError
from mlplab.estimators.base import NeuralNetwork
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.sklearn_callbacks import with_callbacks
from mlplab.training.batches import Rows
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.settings import Settings
from mlplab.training.tasks import Labels, TwoClasses, classify


class NeuralNetworkClassifier(ClassifierMixin, NeuralNetwork, Settings):
    """Classify with a fully-connected network, written from scratch.

    Its parameters have the names, defaults and meanings of those of scikit-learn's `MLPClassifier`, and there are more.
    What each name stands for, and when to use it: docs/parts.md.

    Parameters:
        hidden_layer_sizes: units of each hidden layer; ``()`` is a linear softmax.
        activation: of the hidden layers: one of `mlplab.nn.activations.ACTIVATIONS` by its name, an object of your own
            (`mlplab.nn.activations.Activation`), or a list of them with one for each hidden layer.
        solver: "adam", "sgd", "rmsprop", "adamw", "nadam", "muon", "lbfgs", or a function of your own that returns an
            optimizer (`mlplab.nn.optimizers.Optimizer`) for a network and these settings.
        alpha: adds ½·alpha·‖W‖²/B to the mean loss of a batch of B rows (scikit-learn's L2).
        batch_size: rows of a batch; "auto" is min(200, rows).
        learning_rate: its schedule: "constant", "invscaling", "adaptive", "step", "exponential", "cosine", "one_cycle",
            "plateau", or an object of your own (`mlplab.nn.schedules.Schedule`). With every solver but "lbfgs".
        learning_rate_init: the learning rate before the schedule.
        power_t: exponent of "invscaling".
        max_iter: epochs at most.
        shuffle: whether every epoch sees the rows in a new order.
        random_state: None, a whole number, or a numpy RandomState or Generator.
        tol: stop when `n_iter_no_change` epochs in a row have not bettered the objective (with `early_stopping`, the
            validation accuracy) by tol. None never stops before `max_iter`.
        verbose: whether to show every epoch on standard output.
        warm_start: whether `fit` goes on from the network there is.
        momentum, nesterovs_momentum: of solver "sgd"; 0 is plain gradient descent.
        early_stopping: whether to watch the validation accuracy, on `X_val` where `fit` is given it, else on a
            stratified `validation_fraction` of the rows; the best epoch's weights are kept.
        validation_fraction: see `early_stopping`.
        beta_1, beta_2, epsilon: of solver "adam".
        n_iter_no_change: see `tol`.
        max_fun: evaluations of the objective that solver "lbfgs" may make; its iterations are the epochs, and it stops
            where no part of the gradient is larger than `tol`. It has no early stopping.
        initializer: one of `mlplab.nn.initializers.INITIALIZERS` by its name, a function of your own
            (`mlplab.nn.initializers.Initializer`), or "auto": what suits the activation.
        fit_intercept: whether layers have biases.
        weight_decay: adds ½·weight_decay·‖W‖² to the mean loss of a batch: alpha = weight_decay·B.
        l1: adds l1·Σ|W| to the mean loss of a batch.
        dropout, input_dropout: share of the hidden activations, of the inputs, that a row loses in training.
        input_noise, hidden_noise: standard deviation of what training adds to the inputs (after `input_scale`), to the
            pre-activations of the hidden layers.
        normalization: of the hidden layers' pre-activations: "batch", "layer", None, or an object of your own
            (`mlplab.nn.normalization.Normalization`).
        ema_decay: use a running mean of the weights that forgets 1 - ema_decay of itself in every step, or None.
        average_epochs: use the mean of the weights after each of so many epochs before `max_iter`; 0 does not.
        max_norm: what the weights into each hidden unit are shortened to after every step, or None.
        clip_norm: what the gradient is shortened to, or None.
        rho: of solver "rmsprop".
        learning_rate_decay, learning_rate_step: "step" multiplies by the one (0.1) every so many epochs, "exponential"
            by it (0.95) in every epoch, "plateau" by it (0.1) after so many epochs that have not lowered the loss.
        warmup_epochs: in which the learning rate first rises from 0, before any schedule.
        loss: "cross_entropy", "squared_error", "focal", or an object of your own (`mlplab.nn.losses.Loss`).
        label_smoothing: share of the certainty that is taken from the targets in training.
        class_weight: "balanced", or a weight for each class by its label: rows count as much as their class.
        input_scale: X is multiplied by it on its way into the network, in `fit` and in predictions. With 1/255, images
            can stay uint8.
        callbacks: `mlplab.Callback` objects.
        dtype: "float32" or "float64"; None computes in float32 unless X is float64.

    Attributes:
        classes_: the classes, sorted; for y (rows, labels), as many numbers as there are labels.
        coefs_, intercepts_: W (I, O) and b (O,) of every layer: views of the parameters.
        loss_curve_: the objective (mean loss plus penalty, nats) of every epoch; `loss_` is the last of them,
            `best_loss_` the lowest (None with `early_stopping`).
        validation_loss_curve_: mean nats per validation row after every epoch, or None.
        validation_scores_, best_validation_score_: the validation accuracies with `early_stopping`, else None.
        history_: a `History`: loss and accuracy of training and validation, and seconds, of every epoch.
        interrupted_: whether Ctrl-C ended the training; what had been learnt is kept.
        n_iter_: epochs made by the last fit.
        t_: rows learnt from.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as in scikit-learn.
        n_training_rows_: rows learnt from in each epoch.
    """

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
        """Train a network: a new one, or with `warm_start` the one there is.

        Args:
            X: (rows, features), numbers, also a sparse matrix or a data frame.
            y: (rows,), classes of any kind, or (rows, labels) of 0 and 1 where a row may have several.
            sample_weight: (rows,), how much each row counts.
            X_val, y_val: rows to measure on after every epoch; nothing is learnt from them, unless `early_stopping`
                chooses the epoch by them.
            coef_init, intercept_init: start weights (I, O) and biases (O,) of every layer.
            checkpoint: a file, or a `Checkpoint` of it. The state of the training is written to it as it goes; where it
                exists already, the fit goes on from it and ends as if it had never been interrupted, bit for bit. It
                belongs to these data and settings; `max_iter`, `tol` and `n_iter_no_change` may grow.

        Raises:
            SettingError: for a parameter that is not allowed.
            DataError, ValueError: for data that cannot be used.
            DivergenceError: when the loss stops being finite; `history_` keeps the epochs before.
            ModelFileError: for a checkpoint that is damaged or another fit's.
        """
        going_on = self.warm_start and hasattr(self, "_network")
        self._begin(going_on)
        X, y = self._check_rows(X, y, reset=not going_on)
        answers = self._targets(y, going_on, "y")
        training = self._weigh(self._training_rows(X, answers, sample_weight))
        validation = self._validation_rows(X_val, y_val)
        # scikit-learn's own form for two classes: the error for one that has a single row then reads as there
        two = isinstance(self._task, TwoClasses)
        stratify = None if answers.ndim > 1 else (answers == 1)[:, None] if two else answers
        self._fit(
            training,
            validation,
            stratify=stratify,
            coef_init=coef_init,
            intercept_init=intercept_init,
            going_on=going_on,
            checkpoint=checkpoint,
            listeners=self._listeners(X, y, sample_weight),
        )
        return self

    @available_if(NeuralNetwork._has_passes)
    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        classes: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the rows, going on where the last call stopped: n calls with the same rows are n epochs.

        With `early_stopping`, call it until `stopped_early_`: the weights are then those of the best epoch.

        Args:
            X, y, sample_weight, X_val, y_val: as in `fit`.
            classes: all classes that will come, needed in the first call; not where y has a column for each label.

        Raises:
            ValueError: with `early_stopping` and no rows to watch.
        """
        if self.early_stopping and X_val is None:
            raise DataError("partial_fit does not support early_stopping=True without X_val and y_val to watch")
        going_on = hasattr(self, "_network")
        self._begin(going_on)
        X, y = self._check_rows(X, y, reset=not going_on)
        if not going_on:
            if classes is None and np.ndim(y) == 1:
                raise DataError("classes must be passed on the first call to partial_fit.")
            self._set_classes(y, classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(np.asarray(classes))):
            raise DataError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        answers = self._targets(y, True, "y")
        training = self._weigh(self._training_rows(X, answers, sample_weight))
        self._fit_once(training, self._validation_rows(X_val, y_val))
        return self

    def fit_rows(
        self,
        X: Array,
        y: Array,
        training: Array,
        validation: Array,
        feature_names: Sequence[str] | None = None,
        *,
        checkpoint: Checkpoint | None = None,
        data: str = "",
    ) -> Self:
        """Train as `fit` does, on some rows of data that `load_dataset` has checked: no row is copied or checked again.

        Args:
            X: (N, features), C-ordered. y: (N,).
            training, validation: the numbers of the rows to learn from and of those to measure on.
            checkpoint: as in `fit`. data: what the checkpoint knows these rows by; "" reads them all to know.
        """
        self._begin(False)
        self._set_features(X.shape[1], feature_names)
        if y.dtype.kind not in "iub":  # labels without doubt; looking took a fifth of the smallest trials of the lab
            check_classification_targets(y)
        self._set_task(np.unique(y[training]), labels=False)
        learnt = Rows(X, encode(y[training], self.classes_, "y"), self.input_scale, numbers=training)
        measured = Rows(X, encode(y[validation], self.classes_, "y_val"), self.input_scale, numbers=validation)
        self._fit(self._weigh(learnt), measured, checkpoint=checkpoint, data=data)
        return self

    def restore(self, left: FittedState, *, classes: Array, labels: bool) -> None:
        """Put this estimator into the state that a fit had left.

        Args:
            labels: whether a row may have several of the classes.

        Raises:
            DataError: for weights or names that do not fit one another.
        """
        self._set_task(classes, labels)
        self._restore(left)

    @property
    def multilabel_(self) -> bool:
        """Whether a row may have several of the `classes_`."""
        return isinstance(self._task, Labels)

    # ---- classes -------------------------------------------------------------------------------------------------

    def _targets(self, y: Array, known: bool, what: str) -> Array:
        """Return the answers that the task wants; unless the classes are `known`, they are learnt from y."""
        if not known:
            self._set_classes(y, None)
        elif self.warm_start and what == "y" and not isinstance(self._task, Labels):
            classes = np.unique(y)
            if not np.array_equal(classes, self.classes_):
                raise DataError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        if isinstance(self._task, Labels):
            dense = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
            if dense.ndim != 2 or dense.shape[1] != self._task.outputs:
                raise DataError(f"{what} must be (rows, {self._task.outputs}), a column for each label")
            return dense.astype(np.uint8)
        return encode(column_or_1d(y, warn=True), self.classes_, what)

    def _set_classes(self, y: Array, classes: npt.ArrayLike | None) -> None:
        check_classification_targets(y)
        if type_of_target(y).startswith("multilabel"):
            self._set_task(np.arange(y.shape[1]), labels=True)
            return
        found = np.unique(column_or_1d(y) if classes is None else np.asarray(classes))
        self._set_task(found, labels=False)

    def _set_task(self, classes: Array, labels: bool) -> None:
        self.classes_ = classes
        self._task = Labels(len(classes)) if labels else classify(len(classes), self.label_smoothing)

    def _weigh(self, rows: Rows) -> Rows:
        """Return the rows with their weights multiplied by those of their classes."""
        if self.class_weight is None:
            return rows
        if isinstance(self._task, Labels):
            raise SettingError("class_weight does not go with y of several labels: use sample_weight")
        given = self.class_weight
        if isinstance(given, Mapping):
            given = {label: given[name] for label in self.classes_ for name in given if str(name) == str(label)}
            if len(given) < len(self.class_weight):
                raise SettingError(f"class_weight names a class that is not there; the classes are {self.classes_}")
        of_class = compute_class_weight(given, classes=self.classes_, y=self.classes_[rows.y])
        weights = of_class[rows.y] * (1 if rows.weights is None else rows.weights)
        if not weights.any():
            raise DataError(f"class_weight={given!r} leaves no row that counts")
        return Rows(rows.X, rows.y, rows.scale, weights, rows.numbers)

    def _validation_rows(self, X_val: Any, y_val: Any) -> Rows | None:
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise DataError("X_val and y_val belong together; only one of them was given")
        X_val, y_val = self._check_rows(X_val, y_val, reset=False)
        return self._training_rows(X_val, self._targets(y_val, True, "y_val"), None)

    def _describe_targets(self) -> str:
        names = ", ".join(map(str, self.classes_[:5].tolist())) + (", ..." if len(self.classes_) > 5 else "")
        what = "labels" if self.multilabel_ else "class" if len(self.classes_) == 1 else "classes"
        return f"{len(self.classes_):,} {what}: {names}"

    # ---- predict -------------------------------------------------------------------------------------------------

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Return the probability of each class, (rows, classes) in the order of `classes_`."""
        return self.predict_proba_rows(self._check(X))

    def predict_proba_rows(self, X: Array, rows: Array | None = None) -> Array:
        """Return `predict_proba` of the rows of X with these numbers, neither copied nor checked: see `fit_rows`."""
        result = self._outputs(X, rows)
        if result.shape[1] == 1 and not isinstance(self._task, Labels):
            result = np.hstack([1 - result, result]) if len(self.classes_) > 1 else np.ones_like(result)
        return result

    def predict_log_proba(self, X: npt.ArrayLike) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the most probable class of every row, (rows,), or its labels, (rows, labels) of 0 and 1."""
        return self.predict_rows(self._check(X))

    def predict_rows(self, X: Array, rows: Array | None = None) -> Array:
        """Return `predict` of the rows of X with these numbers, neither copied nor checked: see `fit_rows`."""
        decided = self._of_logits(self._task.decide, X, rows)
        if isinstance(self._task, Labels):
            return decided.astype(int)
        labels: Array = self.classes_[np.minimum(decided, len(self.classes_) - 1)]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
