"""The exercise's notebook, its algorithm written anew: float64, no biases, one array expression for every formula.

It spends what the notebook spends: the sigmoid is computed again for its derivative, and the softmax for the gradient,
for the loss and for the accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from benchmarks.cases import LEARNING_RATES, Case
from benchmarks.contenders import seconds_of
from benchmarks.rows import Array, random_matrices


# s(z) = 1 / (1 + e⁻ᶻ)
def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


# s'(z) = s(z)·(1 - s(z))
def sigmoid_slope(z: Array) -> Array:
    s = sigmoid(z)
    return s * (1 - s)


# p = eᶻ / Σ eᶻ
def softmax(z: Array) -> Array:
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def one_hot(y: Array, classes: int) -> Array:
    return np.eye(classes)[y]


# loss = -Σ T·log p / B
def cross_entropy(z: Array, y: Array) -> float:
    return float(-np.log(softmax(z)[np.arange(len(y)), y]).sum() / len(y))


# B·∂loss/∂z = p - T
def cross_entropy_slope(z: Array, y: Array) -> Array:
    return softmax(z) - one_hot(y, z.shape[1])


class Rule(Protocol):
    def update(self, weights: list[Array], gradients: list[Array]) -> None:
        """Change the weights in place."""


@dataclass
class Sgd:
    rate: float
    decay: float = 0.0

    # W ← W - lr·(∂loss/∂W + decay·W)
    def update(self, weights: list[Array], gradients: list[Array]) -> None:
        for k, g in enumerate(gradients):
            weights[k] -= self.rate * (g + self.decay * weights[k])


@dataclass
class Adam:
    """Kingma and Ba 2015, algorithm 1 as it stands there."""

    rate: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    t: int = 0
    m: list[Array] = field(default_factory=list)
    v: list[Array] = field(default_factory=list)

    # m ← β₁·m + (1 - β₁)·g;  v ← β₂·v + (1 - β₂)·g²;  W ← W - lr·m̂/(√v̂ + ε), m̂ = m/(1 - β₁ᵗ), v̂ = v/(1 - β₂ᵗ)
    def update(self, weights: list[Array], gradients: list[Array]) -> None:
        if not self.m:
            self.m, self.v = ([np.zeros_like(W) for W in weights] for _ in range(2))
        self.t += 1
        for k, g in enumerate(gradients):
            self.m[k] = self.beta_1 * self.m[k] + (1 - self.beta_1) * g
            self.v[k] = self.beta_2 * self.v[k] + (1 - self.beta_2) * g**2
            m_hat = self.m[k] / (1 - self.beta_1**self.t)
            v_hat = self.v[k] / (1 - self.beta_2**self.t)
            weights[k] -= self.rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


class Network:
    """Its weights (I, O), and the walks up and down."""

    def __init__(self, weights: list[Array], rule: Rule) -> None:
        self.weights, self.rule = weights, rule

    def forward(self, X: Array) -> tuple[list[Array], list[Array]]:
        """Return the input and the pre-activation of every layer."""
        inputs, z = [X], [X @ self.weights[0]]
        for W in self.weights[1:]:
            inputs.append(sigmoid(z[-1]))
            z.append(inputs[-1] @ W)
        return inputs, z

    def gradients(self, inputs: list[Array], z: list[Array], y: Array) -> list[Array]:
        """Return ∂loss/∂W of every layer."""
        delta, found = cross_entropy_slope(z[-1], y), []
        for k in reversed(range(len(self.weights))):
            found.append(inputs[k].T @ delta / len(y))
            if k > 0:
                delta = sigmoid_slope(z[k - 1]) * (delta @ self.weights[k].T)
        return found[::-1]

    def epoch(self, batches: Iterator[tuple[Array, Array]], learn: bool = True) -> tuple[float, float]:
        """Learn from every batch, or only look at it; return the mean of the batches' losses and the accuracy."""
        losses, hits, rows = [], 0, 0
        for X, y in batches:
            inputs, z = self.forward(X)
            if learn:
                self.rule.update(self.weights, self.gradients(inputs, z, y))
            losses.append(cross_entropy(z[-1], y))
            hits += int((softmax(z[-1]).argmax(axis=1) == y).sum())
            rows += len(y)
        return float(np.mean(losses)), hits / rows


def draw_weights(sizes: tuple[int, ...], rng: np.random.Generator) -> list[Array]:
    """Return Glorot's normal weights."""
    return [rng.normal(0, np.sqrt(2 / (i + o)), (i, o)) for i, o in pairwise(sizes)]


def batches_of(X: Array, y: Array, size: int) -> Iterator[tuple[Array, Array]]:
    """Return the rows as they lie, in batches: the notebook does not shuffle them."""
    return ((X[k : k + size], y[k : k + size]) for k in range(0, len(y), size))


def training(case: Case, X: Array, y: Array) -> Callable[[], float]:
    X, rng = X.astype(np.float64), np.random.default_rng(0)
    rules = {"sgd": Sgd, "adam": Adam}
    network = Network(draw_weights(case.sizes, rng), rules[case.solver](LEARNING_RATES[case.solver]))

    def epoch() -> None:  # shuffled, as all the others are
        order = rng.permutation(len(y)).reshape(-1, case.batch_size)
        network.epoch((X[rows], y[rows]) for rows in order)

    return lambda: seconds_of(epoch, case.epochs)


def product(m: int, k: int, n: int) -> Callable[[], object]:
    A, B = random_matrices(m, k, n)
    return lambda: A @ B
