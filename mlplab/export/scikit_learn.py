"""Conversion to and from scikit-learn's `MLPClassifier` and `MLPRegressor`."""

from __future__ import annotations

from math import nan

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from mlplab.errors import SettingError, one_of
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.regressor import NeuralNetworkRegressor
from mlplab.export.layers import layers_of
from mlplab.training.history import Epoch, History

#: Fitted attributes that both classes have.
_SHARED = (
    "classes_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_iter_",
    "t_",
    "n_features_in_",
    "feature_names_in_",
    "loss_curve_",
    "loss_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
)
#: The activations of scikit-learn.
_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
#: The names that scikit-learn allows. Others are replaced by the first, because they do not matter after `fit`.
_KNOWN = {"solver": ("sgd", "adam", "lbfgs"), "learning_rate": ("constant", "invscaling", "adaptive")}


def to_sklearn(model: NeuralNetworkClassifier | NeuralNetworkRegressor) -> MLPClassifier | MLPRegressor:
    """Return scikit-learn's class with the settings, the weights and the history of a fitted estimator.

    Its predictions are equal up to rounding. `input_scale` and batch normalization are folded into the weights.

    Raises:
        SettingError: for an activation or a normalization that scikit-learn does not have.
    """
    layers = [layer.folded() for layer in layers_of(model, "scikit-learn")]
    there = MLPRegressor if isinstance(model, NeuralNetworkRegressor) else MLPClassifier
    activation = {"sigmoid": "logistic"}.get(str(model.activation), model.activation)
    if activation not in _ACTIVATIONS:
        raise SettingError(
            f"{there.__name__} has no activation {model.activation!r}; all its layers use {one_of(_ACTIVATIONS)}"
        )
    if any(layer.scales for layer in layers):
        raise SettingError(f"{there.__name__} has no layer normalization")
    shared = {name: value for name, value in model.get_params().items() if name in there().get_params()}
    shared |= {name: allowed[0] for name, allowed in _KNOWN.items() if shared[name] not in allowed}
    other = there(**{**shared, "activation": activation, "tol": model.tol or 0.0})
    other.coefs_ = [layer.W for layer in layers]
    other.intercepts_ = [layer.b for layer in layers]
    if isinstance(model, NeuralNetworkClassifier):
        labels = np.eye(len(model.classes_), dtype=int) if model.multilabel_ else model.classes_
        other._label_binarizer = LabelBinarizer().fit(labels)
    for name in _SHARED:
        if hasattr(model, name):
            setattr(other, name, getattr(model, name))
    return other


def from_sklearn(other: MLPClassifier | MLPRegressor) -> NeuralNetworkClassifier | NeuralNetworkRegressor:
    """Return an estimator with the settings, the weights and the losses of a fitted scikit-learn estimator."""
    check_is_fitted(other)
    losses = getattr(other, "loss_curve_", [])
    left = FittedState(
        {
            **{f"coefs.{k}": W for k, W in enumerate(other.coefs_)},
            **{f"intercepts.{k}": b for k, b in enumerate(other.intercepts_)},
        },
        History([Epoch(k, nan, nan, objective=float(loss)) for k, loss in enumerate(losses, start=1)]),
        int(other.t_ // max(1, len(losses))),
        getattr(other, "feature_names_in_", None),
        getattr(other, "validation_scores_", None),
    )
    settings = {**other.get_params(), "dtype": other.coefs_[0].dtype.name}
    if isinstance(other, MLPRegressor):
        regressor = NeuralNetworkRegressor(**settings)
        regressor.restore(left, one_column=other.n_outputs_ == 1)
        return regressor
    classifier = NeuralNetworkClassifier(**settings)
    labels = other._label_binarizer.y_type_.startswith("multilabel")
    classifier.restore(left, classes=np.asarray(other.classes_), labels=labels)
    return classifier
