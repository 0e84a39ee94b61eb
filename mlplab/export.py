"""Fitted classifiers for use elsewhere: as ONNX, and as scikit-learn's own class, there and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from mlplab.atomic import write_whole
from mlplab.classifier import NeuralNetworkClassifier
from mlplab.engine.numpy_engine import Array
from mlplab.errors import MissingExtraError, SettingError
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.normalization import BatchNormalization, LayerNormalization
from mlplab.training.build import build_activations
from mlplab.training.history import Epoch, History

#: The version of ONNX's operators that the files use, the first one with Gelu.
OPSET = 20
#: What both classes tell of themselves.
_TOLD = (
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
#: A node: operator, inputs, output, attributes.
Add = Callable[..., str]


def to_onnx(model: NeuralNetworkClassifier, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier as an ONNX file: input "X" (rows, features), output "probabilities" (rows, classes).

    X is float32, in which everything is computed there, and as it was in `fit`: `input_scale` is part of the file. The
    columns are in the order of `classes_`, which the file names in its metadata.

    Raises:
        SettingError: for an activation or a normalization of your own.
        MissingExtraError: without the package onnx.
    """
    check_is_fitted(model)
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise MissingExtraError("ONNX files need onnx, which is not installed: pip install 'mlplab[onnx]'") from error

    nodes: list[Any] = []
    constants: list[Any] = []

    def add(operator: str, *inputs: str | Array, **attributes: Any) -> str:
        names = []
        for given in inputs:
            if not isinstance(given, str):
                values = np.ascontiguousarray(given, np.float32)
                constants.append(numpy_helper.from_array(values, f"c{len(constants)}"))
            names.append(given if isinstance(given, str) else constants[-1].name)
        nodes.append(helper.make_node(operator, names, [f"v{len(nodes)}"], **attributes))
        return f"v{len(nodes) - 1}"

    result = _add_network(model, add)
    nodes.append(helper.make_node("Identity", [result], ["probabilities"]))
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "mlplab",
        [helper.make_tensor_value_info("X", number, ["rows", model.n_features_in_])],
        [helper.make_tensor_value_info("probabilities", number, ["rows", len(model.classes_)])],
        constants,
    )
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    helper.set_model_props(file, {"classes": ", ".join(map(str, model.classes_))})
    onnx.checker.check_model(file)
    write_whole(Path(path), lambda temporary: temporary.write_bytes(file.SerializeToString()))


def _add_network(model: NeuralNetworkClassifier, add: Add) -> str:
    network = model._network
    activations = build_activations(model)
    a = add("Mul", "X", np.array(model.input_scale)) if model.input_scale != 1 else "X"
    for layer, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        hidden = layer < len(model.coefs_) - 1
        if hidden and isinstance(network.normalization, BatchNormalization):
            W, b = _folded(model, layer, W, b)  # noqa: PLW2901
        a = add("Gemm", a, W, b)
        if hidden and isinstance(network.normalization, LayerNormalization):
            gain, shift = (part[0, 0] for part in network.theta.scales[layer])
            a = add("LayerNormalization", a, gain, shift, axis=-1, epsilon=1e-5)
        elif hidden and network.normalization and not isinstance(network.normalization, BatchNormalization):
            raise SettingError("a normalization of your own cannot be exported: ONNX knows batch and layer")
        if hidden:
            a = _add_activation(activations[layer], add, a)
    if model.out_activation_ == "softmax":
        return add("Softmax", a, axis=-1)
    p = add("Sigmoid", a)
    if model.multilabel_:
        return p
    if len(model.classes_) == 1:  # whose probability is 1
        return add("Exp", add("Sub", p, p))
    return add("Concat", add("Sub", np.array(1), p), p, axis=-1)


# gain·(a·W + b - μ)/√(σ² + ε) + shift = a·(W·k) + (b - μ)·k + shift with k = gain/√(σ² + ε)
def _folded(model: NeuralNetworkClassifier, layer: int, W: Array, b: Array) -> tuple[Array, Array]:
    running, (gain, shift) = model._network.running[layer], model._network.theta.scales[layer]
    k = gain[0, 0] / np.sqrt(running.variance[0, 0] + 1e-5)
    return W * k, (b - running.mean[0, 0]) * k + shift[0, 0]


def _add_activation(activation: Any, add: Add, z: str) -> str:
    operators: dict[str, Callable[[], str]] = {
        "identity": lambda: z,
        "sigmoid": lambda: add("Sigmoid", z),
        "tanh": lambda: add("Tanh", z),
        "scaled_tanh": lambda: add("Mul", add("Tanh", add("Mul", z, np.array(2 / 3))), np.array(1.7159)),
        "relu": lambda: add("Relu", z),
        "leaky_relu": lambda: add("LeakyRelu", z, alpha=0.01),
        "elu": lambda: add("Elu", z, alpha=1.0),
        "selu": lambda: add("Selu", z),
        "gelu": lambda: add("Gelu", z, approximate="tanh"),
        "silu": lambda: add("Mul", z, add("Sigmoid", z)),
        "softplus": lambda: add("Softplus", z),
        "mish": lambda: add("Mul", z, add("Tanh", add("Softplus", z))),
    }
    for name, operator in operators.items():
        if ACTIVATIONS[name] is activation:
            return operator()
    raise SettingError("an activation of your own cannot be exported: ONNX has operators, not code")


def to_sklearn(model: NeuralNetworkClassifier) -> MLPClassifier:
    """Return scikit-learn's `MLPClassifier` with the settings, the weights and the history of a fitted classifier.

    It predicts the same to rounding. `input_scale` and batch normalization go into the weights.

    Raises:
        SettingError: for a part that `MLPClassifier` does not have.
    """
    check_is_fitted(model)
    activation = {"sigmoid": "logistic"}.get(str(model.activation), model.activation)
    if activation not in ("identity", "logistic", "tanh", "relu"):
        raise SettingError(f"MLPClassifier has no activation {model.activation!r}, nor one for each layer")
    if model._network.normalization and not isinstance(model._network.normalization, BatchNormalization):
        raise SettingError("MLPClassifier has no layer normalization")
    shared = {name: value for name, value in model.get_params().items() if name in MLPClassifier().get_params()}
    known = {"solver": ("sgd", "adam", "lbfgs"), "learning_rate": ("constant", "invscaling", "adaptive")}
    shared |= {name: allowed[0] for name, allowed in known.items() if shared[name] not in allowed}
    other = MLPClassifier(**{**shared, "activation": activation, "tol": model.tol or 0.0})
    other.coefs_ = [W.copy() for W in model.coefs_]
    other.intercepts_ = [b.copy() for b in model.intercepts_]
    other.coefs_[0] *= model.input_scale
    for layer in range(len(model._network.running)):
        folded = _folded(model, layer, other.coefs_[layer], other.intercepts_[layer])
        other.coefs_[layer], other.intercepts_[layer] = folded
    other._label_binarizer = LabelBinarizer().fit(
        np.eye(len(model.classes_), dtype=int) if model.multilabel_ else model.classes_
    )
    for name in _TOLD:
        if hasattr(model, name):
            setattr(other, name, getattr(model, name))
    return other


def from_sklearn(other: MLPClassifier) -> NeuralNetworkClassifier:
    """Return a classifier with the settings, the weights and the losses of a fitted `MLPClassifier`."""
    check_is_fitted(other)
    model = NeuralNetworkClassifier(**{**other.get_params(), "dtype": other.coefs_[0].dtype.name})
    losses = getattr(other, "loss_curve_", [])
    model.restore(
        classes=np.asarray(other.classes_),
        labels=other._label_binarizer.y_type_.startswith("multilabel"),
        arrays={
            **{f"coefs.{k}": W for k, W in enumerate(other.coefs_)},
            **{f"intercepts.{k}": b for k, b in enumerate(other.intercepts_)},
        },
        history=History(
            [Epoch(k, float("nan"), float("nan"), objective=float(loss)) for k, loss in enumerate(losses, start=1)]
        ),
        n_training_rows=int(other.t_ // max(1, len(losses))),
        feature_names=getattr(other, "feature_names_in_", None),
    )
    return model
