"""Conversion to and from the state_dict of PyTorch, which maps names to arrays; PyTorch itself is not required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mlplab.engine.base import Array
from mlplab.errors import DataError, shorten
from mlplab.estimators.base import NeuralNetwork
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.regressor import NeuralNetworkRegressor
from mlplab.export.layers import layers_of
from mlplab.training.settings import RegressorSettings, check_settings

#: The arrays of a layer's normalization: mlplab's groups, and PyTorch's names.
_SCALES = {"gains": "weight", "shifts": "bias", "running_means": "running_mean", "running_variances": "running_var"}


def to_state_dict(model: NeuralNetwork) -> dict[str, Array]:
    """Return the parameters of a fitted estimator by the names of a `torch.nn.Sequential`.

    Each hidden layer is a `Linear`, a `BatchNorm1d` or `LayerNorm` where layers are normalized, and the activation; the
    output layer is a `Linear`. Its outputs are logits: the softmax, or the sigmoid for two classes, gives
    probabilities; for a regressor with loss "poisson", the exponential gives values. `input_scale` is folded into the
    first weights.

    Returns:
        NumPy arrays; pass ``{name: torch.from_numpy(a) for name, a in state.items()}`` to `load_state_dict`.

    Raises:
        SettingError: for a normalization of your own.
    """
    state: dict[str, Array] = {}
    position = 0
    for layer in layers_of(model, "PyTorch"):
        state |= {f"{position}.weight": np.ascontiguousarray(layer.W.T), f"{position}.bias": layer.b}
        if layer.scales:
            position += 1
            state |= {f"{position}.weight": layer.scales.gain, f"{position}.bias": layer.scales.shift}
            if layer.scales.mean is not None and layer.scales.variance is not None:
                state[f"{position}.running_mean"] = layer.scales.mean
                state[f"{position}.running_var"] = layer.scales.variance
                state[f"{position}.num_batches_tracked"] = np.array(0)
        position += 2
    return state


def from_state_dict(
    state: Mapping[str, npt.ArrayLike], classes: npt.ArrayLike | None = None, **settings: Any
) -> NeuralNetworkClassifier | NeuralNetworkRegressor:
    """Return an estimator with the weights of a PyTorch network of fully connected layers.

    Args:
        state: its `state_dict()`, on the CPU: for every layer `weight` (O, I) and optionally `bias` (O,), and between
            layers those of `BatchNorm1d` or `LayerNorm`. Only the order of the modules matters, not their names.
        classes: the class of each output. Two classes may have two outputs (for a softmax), or one for the second
            class (for a sigmoid). None returns a regressor without a non-linearity at the output.
        settings: the settings of the estimator, in particular the `activation`, which a state_dict does not contain.

    Raises:
        DataError: for arrays that do not form such a network.
        SettingError: for a setting that is not allowed.
    """
    modules = _modules(state)
    axes = [module["weight"].ndim for module in modules]
    linear = [module for module in modules if module["weight"].ndim == 2]
    scales = [module for module in modules if module["weight"].ndim == 1]
    if axes != ([2, 1] if scales else [2]) * (len(linear) - 1) + [2]:
        raise DataError(
            "a state_dict must hold a weight (outputs, inputs) for each layer, and those of its normalization, if any, "
            f"after each but the last; got {', '.join(state) or 'none'}"
        )
    weights, biases = [module["weight"].T for module in linear], [module["bias"] for module in linear]
    labels = None if classes is None else np.unique(np.asarray(classes))
    if labels is not None:
        weights[-1], biases[-1] = _in_order(weights[-1], biases[-1], np.asarray(classes), labels)
    groups = {"coefs": weights, "intercepts": biases}
    for ours, theirs in _SCALES.items():
        groups[ours] = [module[theirs] for module in scales if theirs in module]
    dtype = np.result_type(weights[0].dtype, np.float32)
    left = FittedState(
        {
            f"{group}.{k}": np.ascontiguousarray(array, dtype)
            for group, of_layers in groups.items()
            for k, array in enumerate(of_layers)
        }
    )
    hidden = [len(b) for b in biases[:-1]]
    kind = None if not scales else "batch" if groups["running_means"] else "layer"
    known = {"hidden_layer_sizes": tuple(hidden), "normalization": kind, "dtype": dtype.name, **settings}
    if labels is None:
        check_settings(known, of=RegressorSettings)
        regressor = NeuralNetworkRegressor(**known)
        regressor.restore(left, one_column=len(biases[-1]) == 1)
        return regressor
    check_settings(known)
    classifier = NeuralNetworkClassifier(**known)
    classifier.restore(left, classes=labels, labels=False)
    return classifier


def _in_order(W: Array, b: Array, given: Array, labels: Array) -> tuple[Array, Array]:
    """Return the last layer for the sorted classes; two classes have one output."""
    if given.ndim != 1 or len(labels) != len(given):
        raise DataError(f"classes must be distinct labels, one for each output; got {shorten(given.tolist())}")
    if len(given) == 2 and W.shape[1] == 1:  # the logit of the first class is 0
        W, b = np.hstack([np.zeros_like(W), W]), np.append(np.zeros_like(b), b)
    if W.shape[1] != len(given):
        raise DataError(f"classes has {len(given)} labels, but the network has {W.shape[1]} outputs")
    order = np.argsort(given)
    W, b = W[:, order], b[order]
    if len(given) == 2:  # softmax(z) = sigmoid(z₂ - z₁)
        W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
    return W, b


def _modules(state: Mapping[str, npt.ArrayLike]) -> list[dict[str, Array]]:
    """Return the arrays of each module by name, in order; a missing bias is replaced by zeros."""
    modules: dict[str, dict[str, Array]] = {}
    for name, values in state.items():
        module, _, own = name.rpartition(".")
        modules.setdefault(module, {})[own] = np.asarray(values)
    for name, arrays in modules.items():
        if "weight" not in arrays:
            raise DataError(f"a state_dict must hold a weight for each module; {name!r} has none")
        arrays.setdefault("bias", np.zeros(len(arrays["weight"])))
    return list(modules.values())
