"""Optimizers: each receives what back-propagation hands over and changes the parameters in place.

A step is `begin_step`, then `receive` for every layer from the last to the first, then `end_step`. To add one: write
its class and give it a line in `OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from mlplab.engine.numpy_engine import Array
from mlplab.nn.network import GradientWriter, Network
from mlplab.nn.penalties import l2_add_gradient


class Optimizer(Protocol):
    """What the trainer needs of an optimizer."""

    def begin_step(self, rows: Array, learning_rate: Array, weight_decay: Array) -> None:
        """Get ready for one batch.

        rows (M,): what the sums over the batch are divided by. learning_rate (M,), weight_decay (M,): of each member.
        """

    def receive(self, layer: int, a: Array, dz: Array) -> None:
        """Take a layer's input a (M, B, I) and delta dz (M, B, O)."""

    def end_step(self) -> None:
        """Finish the update; afterwards the network's parameters are the new ones."""


class SGD:
    """Plain stochastic gradient descent, W ← W - lr·(∂loss/∂W + decay·W), folded into one product a layer."""

    def __init__(self, network: Network) -> None:
        self._engine, self._theta = network.engine, network.theta

    def begin_step(self, rows: Array, learning_rate: Array, weight_decay: Array) -> None:
        self._step = (learning_rate / rows)[:, None, None]
        self._alpha = (-learning_rate / rows).tolist()
        self._beta = (1 - learning_rate * weight_decay).tolist()

    # W ← (1 - lr·decay)·W - lr/B·aᵀ·dz: no gradient is stored and no pass over the weights is made
    def receive(self, layer: int, a: Array, dz: Array) -> None:
        W = self._theta.weights[layer]
        self._engine.matmul(a, dz, out=W, transpose_a=True, alpha=self._alpha, beta=self._beta)
        if self._theta.biases:
            step = self._engine.xp.sum(dz, axis=1, keepdims=True)
            self._theta.biases[layer][...] -= self._engine.asarray(self._step) * step

    def end_step(self) -> None:
        pass


class _FlatOptimizer:
    """Has the gradient written into one flat buffer, penalty included; `end_step` of the class above uses it."""

    def __init__(self, network: Network) -> None:
        self._xp: Any = network.engine.xp
        self._engine = network.engine
        self._theta = network.theta
        self._writer = GradientWriter(network)
        self._g = self._writer.gradient.flat
        self._scratch = network.new_parameters().flat
        self.receive = self._writer.receive

    def begin_step(self, rows: Array, learning_rate: Array, weight_decay: Array) -> None:
        self._writer.rows = rows
        self._learning_rate, self._weight_decay = learning_rate, weight_decay

    def _add_penalty(self) -> None:
        weights = slice(0, self._theta.weight_count)
        decay = self._engine.asarray(self._weight_decay)
        l2_add_gradient(self._xp, self._theta.flat[:, weights], decay, self._g[:, weights])

    def _per_member(self, values: Array) -> Array:
        return self._engine.asarray(values)[:, None]


class Momentum(_FlatOptimizer):
    """SGD with momentum, plain or Nesterov's.

    Source: Sutskever et al. 2013, equations 1 to 4, in the form whose parameters are always the looked-ahead ones
    (Bengio et al. 2013, equation 7), as scikit-learn has it.
    """

    def __init__(self, network: Network, momentum: float, nesterov: bool) -> None:
        super().__init__(network)
        self._momentum, self._nesterov = momentum, nesterov
        self._v = network.new_parameters().flat

    # v ← μ·v - lr·g
    # θ ← θ + v                  Nesterov: θ ← θ + μ·v - lr·g, with the new v
    def end_step(self) -> None:
        theta, v, g, scratch = self._theta.flat, self._v, self._g, self._scratch
        self._add_penalty()
        g *= self._per_member(self._learning_rate)
        v *= self._momentum
        v -= g
        if self._nesterov:
            self._xp.multiply(v, self._momentum, out=scratch)
            scratch -= g
            theta += scratch
        else:
            theta += v


class Adam(_FlatOptimizer):
    """Adam. Source: Kingma and Ba 2015, algorithm 1 in the order of operations of its section 2's last paragraph."""

    def __init__(self, network: Network, beta_1: float, beta_2: float, epsilon: float) -> None:
        super().__init__(network)
        self._beta_1, self._beta_2, self._epsilon = beta_1, beta_2, epsilon
        self._m = network.new_parameters().flat
        self._v = network.new_parameters().flat
        self._t = 0

    # m ← β₁·m + (1 - β₁)·g
    # v ← β₂·v + (1 - β₂)·g²
    # θ ← θ - lr·√(1 - β₂ᵗ)/(1 - β₁ᵗ) · m/(√v + ε)
    def end_step(self) -> None:
        xp, g, m, v, scratch = self._xp, self._g, self._m, self._v, self._scratch
        self._add_penalty()
        self._t += 1
        m *= self._beta_1
        xp.multiply(g, 1 - self._beta_1, out=scratch)
        m += scratch
        v *= self._beta_2
        xp.multiply(g, g, out=scratch)
        scratch *= 1 - self._beta_2
        v += scratch
        xp.sqrt(v, out=scratch)
        scratch += self._epsilon
        xp.divide(m, scratch, out=scratch)
        correction = np.sqrt(1 - self._beta_2**self._t) / (1 - self._beta_1**self._t)
        scratch *= self._per_member(self._learning_rate * correction)
        self._theta.flat[...] -= scratch


class OptimizerSettings(Protocol):
    """The settings that the optimizers read, under scikit-learn's names."""

    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float


def _sgd(network: Network, settings: OptimizerSettings) -> Optimizer:
    if settings.momentum == 0:
        return SGD(network)
    return Momentum(network, settings.momentum, settings.nesterovs_momentum)


def _adam(network: Network, settings: OptimizerSettings) -> Optimizer:
    return Adam(network, settings.beta_1, settings.beta_2, settings.epsilon)


#: By the name that settings use, scikit-learn's `solver`.
OPTIMIZERS: dict[str, Callable[[Network, OptimizerSettings], Optimizer]] = {"sgd": _sgd, "adam": _adam}
