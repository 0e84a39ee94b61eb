"""Normalization of a hidden layer's pre-activations, with its derivative.

z becomes gain·n + shift, where n is z scaled to mean 0 and variance 1 over the rows of a batch, or over the units of a
row. Gain and shift are parameters of the network. To add one, write its class and add a line to `NORMALIZATIONS` and to
`docs/parts.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from mlplab.engine.base import Array

#: Added to variances; the usual value.
EPSILON = 1e-5
#: The weight of a new batch in the running mean and variance during training.
MOMENTUM = 0.1


@dataclass
class Running:
    """Running mean and variance of a layer's pre-activations in training, (M, 1, O) each, for predictions.

    momentum: the weight of the next batch.
    """

    state_attributes = ("mean", "variance")

    mean: Array
    variance: Array
    momentum: float = MOMENTUM


class Normalization(Protocol):
    """The interface of a normalization."""

    #: Whether predictions use `Running` statistics from training.
    runs: bool

    def forward(self, xp: Any, z: Array, n: Array, running: Running, training: bool) -> Array:
        """Write the normalized z into `n`, both (M, B, O), and return its divisor in a shape that broadcasts.

        In training, the running statistics, if there are any, are updated in place.
        """

    def backward(self, xp: Any, n: Array, scale: Array, dn: Array) -> None:
        """Turn `dn` = ∂loss/∂n into ∂loss/∂z in place; `scale` is the divisor that `forward` returned in training."""


class _Normalization:
    axis: int

    # ∂loss/∂z = (dn - mean dn - n·mean(dn·n)) / scale
    def backward(self, xp: Any, n: Array, scale: Array, dn: Array) -> None:
        along = (dn * n).mean(axis=self.axis, keepdims=True)
        dn -= dn.mean(axis=self.axis, keepdims=True)
        dn -= n * along
        dn /= scale


class BatchNormalization(_Normalization):
    """Normalization over the rows of a batch. Source: Ioffe and Szegedy 2015, algorithms 1 and 2."""

    axis = 1
    runs = True

    # n = (z - μ) / √(σ² + ε), with the batch's own μ and σ² in training
    def forward(self, xp: Any, z: Array, n: Array, running: Running, training: bool) -> Array:
        if training:
            mean, variance = z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True)
            rows = z.shape[1]
            if rows > 1:  # a single row has no variance
                running.mean += running.momentum * (mean - running.mean)
                running.variance += running.momentum * (variance * (rows / (rows - 1)) - running.variance)
        else:
            mean, variance = running.mean, running.variance
        scale: Array = xp.sqrt(variance + EPSILON)
        xp.subtract(z, mean, out=n)
        n /= scale
        return scale


class LayerNormalization(_Normalization):
    """Normalization over the units of a row. Source: Ba et al. 2016, equation 4."""

    axis = 2
    runs = False

    # n = (z - μ) / √(σ² + ε), with the row's own μ and σ²
    def forward(self, xp: Any, z: Array, n: Array, running: Running, training: bool) -> Array:
        scale: Array = xp.sqrt(z.var(axis=2, keepdims=True) + EPSILON)
        xp.subtract(z, z.mean(axis=2, keepdims=True), out=n)
        n /= scale
        return scale


#: Normalizations by the names used in settings.
NORMALIZATIONS: dict[str, Normalization] = {"batch": BatchNormalization(), "layer": LayerNormalization()}
