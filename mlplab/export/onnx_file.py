"""Fitted estimators as ONNX files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import MissingExtraError, SettingError
from mlplab.estimators.base import NeuralNetwork
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.export.layers import layers_of
from mlplab.export.tracing import Add, Traced
from mlplab.nn.activations import Activation
from mlplab.nn.normalization import EPSILON
from mlplab.utils.atomic import write_whole

#: The version of the ONNX operator set: the first one with LayerNormalization.
OPSET = 17


def to_onnx(model: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator as an ONNX file with an input "X" (rows, features).

    The output is "probabilities" (rows, classes), in the order of `classes_`, which the metadata of the file lists; for
    a regressor, it is "values" (rows, outputs). X is float32, as is all computation, and scaled as in `fit`, because
    `input_scale` is folded into the weights.

    Raises:
        SettingError: for a normalization of your own, or an activation with a function that ONNX has no operator for.
        MissingExtraError: without the package onnx.
    """
    layers = [layer.folded() for layer in layers_of(model, "ONNX")]
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx is not installed: pip install 'mlplab[onnx]'") from error

    nodes: list[Any] = []
    constants: list[Any] = []

    def add(operator: str, *inputs: str | Array, **attributes: Any) -> str:
        names = []
        for given in inputs:
            if not isinstance(given, str):
                values = np.ascontiguousarray(given, np.float32).reshape(given.shape)
                constants.append(numpy_helper.from_array(values, f"c{len(constants)}"))
            names.append(given if isinstance(given, str) else constants[-1].name)
        nodes.append(helper.make_node(operator, names, [f"v{len(nodes)}"], **attributes))
        return f"v{len(nodes) - 1}"

    a = "X"
    for layer in layers:
        a = add("Gemm", a, layer.W, layer.b)
        if layer.scales:
            a = add("LayerNormalization", a, layer.scales.gain, layer.scales.shift, axis=-1, epsilon=EPSILON)
        if layer.activation:
            a = trace(layer.activation, add, a)
    classes = model.classes_ if isinstance(model, NeuralNetworkClassifier) else None
    output = "values" if classes is None else "probabilities"
    nodes.append(helper.make_node("Identity", [_add_output(model, add, a)], [output]))
    number, columns = onnx.TensorProto.FLOAT, model.n_outputs_ if classes is None else len(classes)
    graph = helper.make_graph(
        nodes,
        "mlplab",
        [helper.make_tensor_value_info("X", number, ["rows", model.n_features_in_])],
        [helper.make_tensor_value_info(output, number, ["rows", columns])],
        constants,
    )
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    if classes is not None:
        helper.set_model_props(file, {"classes": ", ".join(map(str, classes))})
    onnx.checker.check_model(file)
    write_whole(Path(path), lambda temporary: temporary.write_bytes(file.SerializeToString()))


def trace(activation: Activation, add: Add, z: str) -> str:
    """Add the nodes of an activation of the value z, by running its `forward`; return the name of the result."""
    given = Traced(add, z)
    a = given.copy() if activation.needs_z else given
    activation.forward(np, given, a)  # type: ignore[arg-type]
    return a.name


def _add_output(model: NeuralNetwork, add: Add, z: str) -> str:
    operators = {"softmax": "Softmax", "logistic": "Sigmoid", "identity": "Identity", "exp": "Exp"}
    if model.out_activation_ not in operators:
        raise SettingError(f"a loss with the output {model.out_activation_!r} cannot be exported to ONNX")
    p = add(operators[model.out_activation_], z)
    if not isinstance(model, NeuralNetworkClassifier) or model.multilabel_ or model.n_outputs_ > 1:
        return p
    if len(model.classes_) == 1:  # whose probability is 1
        return add("Exp", add("Sub", p, p))
    return add("Concat", add("Sub", np.array(1), p), p, axis=-1)
