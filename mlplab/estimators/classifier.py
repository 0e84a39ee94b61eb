"""The classifier: a network with the interface of scikit-learn's `MLPClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from mlplab.data.labels import encode
from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.estimators.base import NeuralNetwork, has_passes
from mlplab.estimators.class_weight import apply_class_weight
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.validation import check_features, set_features
from mlplab.training.batches import Rows
from mlplab.training.checkpoint import Checkpoint
from mlplab.training.settings import Settings
from mlplab.training.tasks import Labels, classify


class NeuralNetworkClassifier(ClassifierMixin, NeuralNetwork, Settings):
    """Classify with a fully connected network.

    Parameters that scikit-learn's `MLPClassifier` also has keep their names, defaults and meanings. docs/parts.md
    explains the choices of each parameter and when to use them.

    Parameters:
        hidden_layer_sizes: number of units in each hidden layer; ``()`` makes a linear model.
        activation: of the hidden layers, one of `mlplab.nn.activations.ACTIVATIONS` by its name, an object of your own
            (`mlplab.nn.activations.Activation`), or a list of them with one for each hidden layer.
        solver: "adam", "sgd", "rmsprop", "adamw", "nadam", "muon", "lbfgs", or a function of your own that returns an
            optimizer (`mlplab.nn.optimizers.Optimizer`) for a network and these settings.
        alpha: adds ½·alpha·‖W‖²/B to the mean loss of a batch of B rows (scikit-learn's L2).
        batch_size: rows per batch; "auto" is min(200, rows).
        learning_rate: the schedule of the learning rate: "constant", "invscaling", "adaptive", "step", "exponential",
            "cosine", "one_cycle", "plateau", or an object of your own (`mlplab.nn.schedules.Schedule`). It is not used
            by solver "lbfgs".
        learning_rate_init: the learning rate before the schedule.
        power_t: exponent of "invscaling".
        max_iter: the largest number of epochs.
        shuffle: whether every epoch reads the rows in a new order.
        random_state: None, a whole number, or a numpy RandomState or Generator.
        tol: training stops when more than `n_iter_no_change` epochs in a row have not improved the objective (with
            `early_stopping`, the validation accuracy) by tol. None never stops before `max_iter`.
        verbose: whether to show every epoch on standard output.
        warm_start: whether `fit` continues to train the existing network.
        momentum, nesterovs_momentum: of solver "sgd"; 0 is plain gradient descent.
        early_stopping: whether to stop when the validation accuracy no longer improves, on `X_val` if it is passed to
            `fit`, otherwise on a stratified `validation_fraction` of the rows; the weights of the best epoch are kept.
        validation_fraction: see `early_stopping`.
        beta_1, beta_2, epsilon: of solver "adam".
        n_iter_no_change: see `tol`.
        max_fun: the largest number of evaluations of the objective by solver "lbfgs". Its iterations are the epochs;
            it stops where no component of the gradient is larger than `tol`, and has no early stopping.
        initializer: one of `mlplab.nn.initializers.INITIALIZERS` by its name, a function of your own
            (`mlplab.nn.initializers.Initializer`), or "auto", which depends on the activation.
        fit_intercept: whether layers have biases.
        weight_decay: adds ½·weight_decay·‖W‖² to the mean loss of a batch: alpha = weight_decay·B.
        l1: adds l1·Σ|W| to the mean loss of a batch.
        dropout, input_dropout: the share of the hidden activations, or of the inputs, set to zero in training.
        input_noise, hidden_noise: standard deviation of the noise that training adds to the inputs (after
            `input_scale`), or to the pre-activations of the hidden layers.
        normalization: of the hidden layers' pre-activations: "batch", "layer", None, or an object of your own
            (`mlplab.nn.normalization.Normalization`).
        ema_decay: use an exponential moving average of the weights that loses 1 - ema_decay of itself in every step, or
            None.
        average_epochs: use the mean of the weights after each of the last average_epochs epochs before `max_iter`; 0
            uses the weights themselves.
        max_norm: the largest norm of the weights into each hidden unit, enforced after every step, or None.
        clip_norm: the largest norm of the gradient, or None.
        rho: of solver "rmsprop".
        learning_rate_decay, learning_rate_step: schedule "step" multiplies the learning rate by learning_rate_decay
            (0.1) every learning_rate_step epochs, "exponential" (0.95) in every epoch, "plateau" (0.1) after more than
            learning_rate_step epochs in a row that have not lowered the loss.
        warmup_epochs: epochs in which the learning rate first rises from 0, whatever the schedule.
        loss: "cross_entropy", "squared_error", "focal", or an object of your own (`mlplab.nn.losses.Loss`).
        label_smoothing: the share of the probability that training targets spread evenly over all classes.
        class_weight: "balanced", or a weight for each class by its label, which multiplies the weights of its rows.
        input_scale: the factor that X is multiplied by, in `fit` and in predictions. With 1/255, images can stay uint8.
        callbacks: `mlplab.Callback` objects.
        dtype: "float32" or "float64"; None computes in float32 unless X is float64.

    Attributes:
        classes_: the sorted classes; for y (rows, labels), the column numbers of the labels.
        coefs_, intercepts_: W (I, O) and b (O,) of every layer: views of the parameters.
        loss_curve_: the objective (mean loss plus penalty, nats) of every epoch; `loss_` is the last of them,
            `best_loss_` the lowest (None with `early_stopping`).
        validation_loss_curve_: mean nats per validation row after every epoch, or None.
        validation_scores_, best_validation_score_: the validation accuracies with `early_stopping`, else None.
        history_: a `History`: loss and accuracy of training and validation, and seconds, of every epoch.
        interrupted_: whether Ctrl-C stopped training; the estimator can be used nevertheless.
        n_iter_: number of epochs of the last fit.
        t_: rows trained on, counted once for each epoch.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as in scikit-learn.
        n_training_rows_: rows trained on in each epoch.
        network_: the `mlplab.estimators.fitted_network.FittedNetwork`, for logits and parameters.
    """

    @available_if(has_passes)
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
        """Train for one epoch on the rows, continuing from the last call: n calls with the same rows are n epochs.

        With `early_stopping`, call it until `stopped_early_` is True: the weights are then those of the best epoch.

        Args:
            X, y, sample_weight, X_val, y_val: as in `fit`.
            classes: all classes that will occur, needed in the first call unless y has a column for each label.

        Raises:
            ValueError: with `early_stopping` and without validation rows.
        """
        if not self.__sklearn_is_fitted__():
            if classes is None and np.ndim(y) == 1:
                raise DataError("classes must be passed on the first call to partial_fit.")
        elif classes is not None and not np.array_equal(self.classes_, np.unique(np.asarray(classes))):
            raise DataError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        self._partial_fit(X, y, sample_weight, X_val, y_val, classes)
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
        """Train as `fit` does, on rows of data that `load_dataset` has checked, without another copy or check.

        Args:
            X: (N, features), C-ordered. y: (N,).
            training, validation: the indices of the training rows and of the validation rows.
            checkpoint: as in `fit`.
            data: identifies these rows in the checkpoint; "" computes a hash of them, which reads them all.
        """
        self._begin(continued=False)
        set_features(self, X.shape[1], feature_names)
        # integers are always labels, and the check took a fifth of the time of the lab's smallest trials
        if y.dtype.kind not in "iub":
            check_classification_targets(y)
        self._set_task(np.unique(y[training]), labels=False)
        training_rows = Rows(X, encode(y[training], self.classes_, "y"), self.input_scale, numbers=training)
        measured = Rows(X, encode(y[validation], self.classes_, "y_val"), self.input_scale, numbers=validation)
        weighted = apply_class_weight(training_rows, self.class_weight, self.classes_)
        self._fit(weighted, measured, checkpoint=checkpoint, data=data)
        return self

    def restore(self, left: FittedState, *, classes: Array, labels: bool) -> None:
        """Restore the state that a fit produced.

        Args:
            labels: whether a row may have several of the classes.

        Raises:
            DataError: for weights or names that do not fit together.
        """
        self._set_task(classes, labels)
        self._restore(left)

    @property
    def multilabel_(self) -> bool:
        """Whether a row may have several of the `classes_`."""
        return isinstance(self._task, Labels)

    # ---- classes -------------------------------------------------------------------------------------------------

    def encode_targets(self, y: npt.ArrayLike, what: str = "y") -> Array:
        """Return y in the form that the task uses: (rows,) indices of the classes, or (rows, labels) of 0 and 1.

        what: the name of y in error messages.

        Raises:
            DataError: for a label that is not one of the `classes_`, or another number of labels.
        """
        if isinstance(self._task, Labels):
            dense = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
            if dense.ndim != 2 or dense.shape[1] != self._task.outputs:
                raise DataError(f"{what} must be (rows, {self._task.outputs}), a column for each label")
            return dense.astype(np.uint8)
        return encode(column_or_1d(y, warn=True), self.classes_, what)

    def _targets(
        self, X: Array, y: Array, what: str, *, reset: bool = False, classes: npt.ArrayLike | None = None
    ) -> Array:
        if reset:
            self._set_classes(y, classes)
        elif self.warm_start and what == "y" and not isinstance(self._task, Labels):
            found = np.unique(y)
            if not np.array_equal(found, self.classes_):
                raise DataError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {found}"
                )
        return self.encode_targets(y, what)

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

    def _training_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool, classes: npt.ArrayLike | None = None
    ) -> Rows:
        rows = super()._training_rows(X, y, sample_weight, reset=reset, classes=classes)
        return apply_class_weight(rows, self.class_weight, self.classes_)

    def _describe_targets(self) -> str:
        names = ", ".join(map(str, self.classes_[:5].tolist())) + (", ..." if len(self.classes_) > 5 else "")
        what = "labels" if self.multilabel_ else "class" if len(self.classes_) == 1 else "classes"
        return f"{len(self.classes_):,} {what}: {names}"

    # ---- predict -------------------------------------------------------------------------------------------------

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Return the probability of each class, (rows, classes) in the order of `classes_`."""
        return self.predict_proba_rows(check_features(self, X))

    def predict_proba_rows(self, X: Array, rows: Array | None = None) -> Array:
        """Return `predict_proba` of the rows of X with these indices, without a copy or a check: see `fit_rows`."""
        result = self._fitted_network().outputs(X, rows)
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
        return self.predict_rows(check_features(self, X))

    def predict_rows(self, X: Array, rows: Array | None = None) -> Array:
        """Return `predict` of the rows of X with these indices, without a copy or a check: see `fit_rows`."""
        decided = self._fitted_network().decisions(X, rows)
        if isinstance(self._task, Labels):
            return decided.astype(int)
        labels: Array = self.classes_[np.minimum(decided, len(self.classes_) - 1)]
        return labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
