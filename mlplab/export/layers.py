"""A fitted network as a list of plain layers, which every export uses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mlplab.engine.base import Array
from mlplab.errors import SettingError
from mlplab.estimators.base import NeuralNetwork
from mlplab.nn.activations import ACTIVATIONS, Activation
from mlplab.nn.normalization import EPSILON, NORMALIZATIONS
from mlplab.training.build import name_in


@dataclass(frozen=True)
class Scales:
    """The normalization of a layer's pre-activations.

    Attributes:
        kind: its name, "batch" or "layer".
        gain, shift: (O,).
        mean, variance: the running statistics of "batch", (O,); else None.
    """

    kind: str
    gain: Array
    shift: Array
    mean: Array | None = None
    variance: Array | None = None


@dataclass(frozen=True)
class Layer:
    """One layer: a·W + b, normalized if there are scales, then the activation.

    Attributes:
        W, b: (I, O) and (O,). The W of the first layer is multiplied by `input_scale`.
        activation: None for the last layer, whose non-linearity is the estimator's `out_activation_`.
    """

    W: Array
    b: Array
    activation: Activation | None = None
    scales: Scales | None = None

    # gain·(a·W + b - μ)/√(σ² + ε) + shift = a·(W·k) + (b - μ)·k + shift with k = gain/√(σ² + ε)
    def folded(self) -> Layer:
        """Return the layer with batch normalization folded into W and b."""
        s = self.scales
        if s is None or s.mean is None or s.variance is None:
            return self
        k = s.gain / np.sqrt(s.variance + EPSILON)
        return replace(self, W=self.W * k, b=(self.b - s.mean) * k + s.shift, scales=None)


def layers_of(model: NeuralNetwork, what: str) -> list[Layer]:
    """Return the layers of a fitted estimator, with copies of its parameters.

    Args:
        what: the format of the export, for error messages.

    Raises:
        SettingError: for a normalization of the user's own.
    """
    check_is_fitted(model)
    fitted = model.network_
    network = fitted.network
    kind = name_in(NORMALIZATIONS, network.normalization)
    if network.normalization and not kind:
        raise SettingError(f"a normalization of your own cannot be exported to {what}; only batch and layer can")
    scales: list[Scales | None] = [None] * len(fitted.coefs)
    for k, (gain, shift) in enumerate(network.theta.scales):
        running = network.running[k] if network.running else None
        statistics = (running.mean[0, 0].copy(), running.variance[0, 0].copy()) if running else ()
        scales[k] = Scales(str(kind), gain[0, 0].copy(), shift[0, 0].copy(), *statistics)
    weights = [W.copy() for W in fitted.coefs]
    weights[0] *= fitted.input_scale
    biases = [b.copy() for b in fitted.intercepts]
    return list(map(Layer, weights, biases, [*network.activations[:-1], None], scales))


def name_of(activation: Activation, what: str) -> str:
    """Return the name of an activation.

    Raises:
        SettingError: for an activation of the user's own.
    """
    name = name_in(ACTIVATIONS, activation)
    if name is None:
        raise SettingError(f"an activation of your own cannot be exported to {what}, which contains names, not code")
    return name
