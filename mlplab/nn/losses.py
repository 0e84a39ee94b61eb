"""Losses on the last layer's pre-activations ("logits"), each with its derivative.

A loss owns the output's non-linearity: computing both together is what keeps them stable, and what makes ∂loss/∂z
as short as p - T. To add one: write its class and give it a line in `LOSSES`.
"""

from __future__ import annotations

from typing import Any, Protocol

from mlplab.engine.numpy_engine import Array


class Loss(Protocol):
    """What the trainer needs of a loss; an object of your own with these four is one too."""

    #: The name of the output's non-linearity, `out_activation_` of the classifier.
    out_activation: str

    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        """Return the loss of every row (M, B) in nats, and turn `z` (M, B, C) into ∂loss/∂z in place.

        T (M, B, C) holds the target of every row: 1 at its class, 0 elsewhere.
        """

    def probabilities(self, xp: Any, z: Array) -> None:
        """Turn `z` (M, B, C) into probabilities in place."""

    def decide(self, xp: Any, z: Array) -> Array:
        """Return the most probable class (M, B) of every row: an index."""


class SoftmaxCrossEntropy:
    """Loss = -Σ T·log p with p = softmax(z), for C ≥ 2 classes that exclude each other."""

    out_activation = "softmax"

    # loss = log Σ eᶻ - Σ T·z        both unchanged by z ← z - max z, after which no exponential overflows
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

    # p = eᶻ / Σ eᶻ
    def probabilities(self, xp: Any, z: Array) -> None:
        z -= z.max(axis=-1, keepdims=True)
        xp.exp(z, out=z)
        z /= z.sum(axis=-1, keepdims=True)

    def decide(self, xp: Any, z: Array) -> Array:
        decided: Array = z.argmax(axis=-1)
        return decided


class BinaryCrossEntropy:
    """Loss = -T·log p - (1 - T)·log(1 - p) with p = sigmoid(z), for two classes and one output."""

    out_activation = "logistic"

    # loss = max(z, 0) - T·z + log(1 + e^-|z|)        no exponential of a positive number
    # ∂loss/∂z = p - T
    def value_and_delta(self, xp: Any, z: Array, T: Array) -> Array:
        loss: Array = xp.sum(xp.clip(z, 0, None) - T * z + xp.log1p(xp.exp(-xp.abs(z))), axis=-1)
        self.probabilities(xp, z)
        z -= T
        return loss

    # p = 1 / (1 + e⁻ᶻ) = ½ + ½·tanh(z/2)
    def probabilities(self, xp: Any, z: Array) -> None:
        z *= 0.5
        xp.tanh(z, out=z)
        z *= 0.5
        z += 0.5

    def decide(self, xp: Any, z: Array) -> Array:
        decided: Array = xp.where(z[..., 0] > 0, 1, 0)
        return decided


#: By the name that settings use: the loss for two classes (one output) and for more (an output for each).
LOSSES: dict[str, tuple[Loss, Loss]] = {"cross_entropy": (BinaryCrossEntropy(), SoftmaxCrossEntropy())}
