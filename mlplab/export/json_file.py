"""Export to JSON, for programs in any language; docs/export.md describes the format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mlplab.engine.base import Array
from mlplab.estimators.base import NeuralNetwork
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.export.layers import Layer, layers_of, name_of
from mlplab.nn.normalization import EPSILON
from mlplab.utils.atomic import write_text_whole

#: The version of the layout.
FORMAT = "mlplab-network-1"


def to_json(model: NeuralNetwork, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator as JSON, with the numbers and names that predictions need.

    `input_scale` and batch normalization are folded into the weights.

    Raises:
        SettingError: for an activation or a normalization of your own.
    """
    layers = [layer.folded() for layer in layers_of(model, "JSON")]
    names = getattr(model, "feature_names_in_", None)
    facts: dict[str, Any] = {
        "format": FORMAT,
        "feature_names": None if names is None else list(names),
        "layers": list(map(_describe, layers)),
        "output": model.out_activation_,
    }
    if isinstance(model, NeuralNetworkClassifier):
        facts |= {"classes": model.classes_.tolist(), "multilabel": model.multilabel_}
    write_text_whole(Path(path), json.dumps(facts, default=str))


def _describe(layer: Layer) -> dict[str, Any]:
    facts: dict[str, Any] = {"weights": _numbers(layer.W), "biases": _numbers(layer.b)}
    if layer.scales:
        gain, shift = _numbers(layer.scales.gain), _numbers(layer.scales.shift)
        facts["layer_normalization"] = {"gain": gain, "shift": shift, "epsilon": EPSILON}
    if layer.activation:
        facts["activation"] = name_of(layer.activation, "JSON")
    return facts


def _numbers(array: Array) -> list[Any]:
    """Return nested lists of the shortest numbers that are read as the same values: 0.1, not 0.10000000149011612."""
    if array.ndim > 1:
        return [_numbers(row) for row in array]
    return [float(str(number)) for number in array]
