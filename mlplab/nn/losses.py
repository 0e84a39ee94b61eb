"""Losses on the last layer's pre-activations ("logits"), each with its derivative.

A loss includes the output's non-linearity: computing both together is numerically stable and makes ∂loss/∂z as simple
as p - T. To add one, write its class and add a line to `LOSSES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mlplab.engine.base import Array


class Loss(Protocol):
    """The interface of a loss. Any object with these three members can be used."""

    #: The name of the output's non-linearity, `out_activation_` of the estimator.
    out_activation: str

    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        """Return the loss of every row (M, B), and turn `z` (M, B, C) into ∂loss/∂z in place.

        T (M, B, C) holds the target of every row: for classes, 1 for its class and 0 for the others, or values close to
        these.
        """

    def predict(self, xp: Any, z: Array) -> None:
        """Turn `z` (M, B, C) into the network's predictions, probabilities or values, in place."""


class Softmax:
    """p = softmax(z), for C ≥ 2 mutually exclusive classes."""

    out_activation = "softmax"

    # p = eᶻ / Σ eᶻ        unchanged by z ← z - max z, after which no exponential overflows
    def predict(self, xp: Any, z: Array) -> None:
        z -= z.max(axis=-1, keepdims=True)
        xp.exp(z, out=z)
        z /= z.sum(axis=-1, keepdims=True)


class Sigmoid:
    """p = sigmoid(z), for two classes with one output, or for C labels of which a row may have any number."""

    out_activation = "logistic"

    # log p = min(z, 0) - log(1 + e^-|z|): no exponential of a positive number, and a small p keeps its precision
    def predict(self, xp: Any, z: Array) -> None:
        soft = xp.log1p(xp.exp(-xp.abs(z)))
        xp.clip(z, None, 0, out=z)
        z -= soft
        xp.exp(z, out=z)


class SoftmaxCrossEntropy(Softmax):
    """Loss = -Σ T·log p, in nats."""

    # loss = log Σ eᶻ - Σ T·z        both unchanged by z ← z - max z
    # ∂loss/∂z = p - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        z -= z.max(axis=-1, keepdims=True)
        target = (z * T).sum(axis=-1)
        xp.exp(z, out=z)
        total = z.sum(axis=-1, keepdims=True)
        z /= total
        z -= T
        loss: Array = xp.log(total[..., 0]) - target
        return loss


class SigmoidCrossEntropy(Sigmoid):
    """Loss = Σ -T·log p - (1 - T)·log(1 - p), in nats."""

    # loss = max(z, 0) - T·z + log(1 + e^-|z|)        no exponential of a positive number
    # ∂loss/∂z = p - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        loss: Array = (xp.clip(z, 0, None) - T * z + xp.log1p(xp.exp(-xp.abs(z)))).sum(axis=-1)
        self.predict(xp, z)
        z -= T
        return loss


class SoftmaxSquaredError(Softmax):
    """Loss = ½·Σ (p - T)², half the Brier score. It is bounded, so that wrong labels have little effect."""

    # ∂loss/∂z = p·(d - Σ d·p) with d = p - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        self.predict(xp, z)
        d = z - T
        z *= d - (d * z).sum(axis=-1, keepdims=True)
        loss: Array = 0.5 * (d * d).sum(axis=-1)
        return loss


class SigmoidSquaredError(Sigmoid):
    """Loss = ½·Σ (p - T)²."""

    # ∂loss/∂z = d·p·(1 - p) with d = p - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        self.predict(xp, z)
        d = z - T
        z *= d * (1 - z)
        loss: Array = 0.5 * (d * d).sum(axis=-1)
        return loss


class SoftmaxFocal(Softmax):
    """Loss = -Σ T·(1 - p)ᵞ·log p: correctly classified rows have little weight. Source: Lin et al. 2017, equation 4.

    Args:
        gamma: γ, at least 1; 0 would be the cross-entropy.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        self.gamma = gamma

    # p·∂loss/∂p = T·(γ·p·(1 - p)ᵞ⁻¹·log p - (1 - p)ᵞ) = u,        ∂loss/∂z = u - p·Σ u
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        z -= z.max(axis=-1, keepdims=True)
        log_p = z - xp.log(xp.exp(z).sum(axis=-1, keepdims=True))
        xp.exp(log_p, out=z)
        far = -xp.expm1(log_p)
        loss: Array = -(T * far**self.gamma * log_p).sum(axis=-1)
        u = T * far ** (self.gamma - 1) * (self.gamma * z * log_p - far)
        z *= -u.sum(axis=-1, keepdims=True)
        z += u
        return loss


class SigmoidFocal(Sigmoid):
    """Loss = Σ -T·(1 - p)ᵞ·log p - (1 - T)·pᵞ·log(1 - p). Source and argument as for `SoftmaxFocal`."""

    def __init__(self, gamma: float = 2.0) -> None:
        self.gamma = gamma

    # ∂loss/∂z = T·(γ·p·qᵞ·log p - qᵞ⁺¹) - (1 - T)·(γ·q·pᵞ·log q - pᵞ⁺¹) with q = 1 - p
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        soft = xp.log1p(xp.exp(-xp.abs(z)))
        log_p, log_q = xp.clip(z, None, 0) - soft, xp.clip(-z, None, 0) - soft
        p, q, gamma = xp.exp(log_p), xp.exp(log_q), self.gamma
        loss: Array = -(T * q**gamma * log_p + (1 - T) * p**gamma * log_q).sum(axis=-1)
        z[...] = T * q**gamma * (gamma * p * log_p - q) - (1 - T) * p**gamma * (gamma * q * log_q - p)
        return loss


class SquaredError:
    """Loss = ½·Σ (z - T)², for regression."""

    out_activation = "identity"

    # ∂loss/∂z = z - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        z -= T
        loss: Array = 0.5 * (z * z).sum(axis=-1)
        return loss

    def predict(self, xp: Any, z: Array) -> None:
        pass


class Poisson:
    """Loss = Σ T·log(T/p) - T + p with p = eᶻ, half the Poisson deviance, for counts T ≥ 0."""

    out_activation = "exp"

    # ∂loss/∂z = p - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        constant = T * xp.log(xp.where(T > 0, T, 1)) - T  # 0·log 0 is 0
        loss = constant - T * z
        xp.exp(z, out=z)
        loss += z
        z -= T
        value: Array = loss.sum(axis=-1)
        return value

    def predict(self, xp: Any, z: Array) -> None:
        xp.exp(z, out=z)


#: Losses by the names used in settings, each for the output non-linearities that it supports. A loss for classes
#: supports both "logistic" and "softmax".
LOSSES: dict[str, Mapping[str, Loss]] = {
    name: {loss.out_activation: loss for loss in losses}
    for name, losses in {
        "cross_entropy": (SigmoidCrossEntropy(), SoftmaxCrossEntropy()),
        "squared_error": (SigmoidSquaredError(), SoftmaxSquaredError(), SquaredError()),
        "focal": (SigmoidFocal(), SoftmaxFocal()),
        "poisson": (Poisson(),),
    }.items()
}
