"""Optimizers: each receives what back-propagation hands over and changes the parameters in place.

A step is `begin_step`, then `receive` for every layer from the last to the first, then `end_step`. To add one: write
its class and give it a line in `OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, Protocol

from mlplab.engine.numpy_engine import Array
from mlplab.nn.network import GradientWriter, Network, Ones


class Optimizer(Protocol):
    """What the trainer needs of an optimizer."""

    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        """Get ready for one batch; a number for each of the M members.

        totals: what the sums over the batch are divided by, its rows or the sum of their weights.
        """

    def receive(self, layer: int, a: Array, dz: Array) -> None:
        """Take a layer's input a (M, B, I) and delta dz (M, B, O)."""

    def end_step(self) -> None:
        """Finish the update; afterwards the network's parameters are the new ones."""


class SGD:
    """Plain stochastic gradient descent, W ← W - lr·(∂loss/∂W + decay·W), folded into one product a layer."""

    def __init__(self, network: Network) -> None:
        self._engine, self._theta, self._ones = network.engine, network.theta, Ones(network.engine)

    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        self._alpha = [-lr / total for lr, total in zip(learning_rate, totals, strict=True)]
        self._beta = [1 - lr * decay for lr, decay in zip(learning_rate, weight_decay, strict=True)]

    # W ← (1 - lr·decay)·W - lr/B·aᵀ·dz: no gradient is stored and no pass over the weights is made
    # b ← b - lr/B·Σ dz
    def receive(self, layer: int, a: Array, dz: Array) -> None:
        W, update = self._theta.weights[layer], self._engine.matmul
        update(a, dz, out=W, transpose_a=True, alpha=self._alpha, beta=self._beta)
        if self._theta.biases:
            b = self._theta.biases[layer]
            update(self._ones.of(dz), dz, out=b, transpose_a=True, alpha=self._alpha, beta=1.0)

    def end_step(self) -> None:
        pass


#: How many parameters are updated at a time: what a block needs stays in a core's cache from one line to the next.
BLOCK = 65_536


class _FlatOptimizer:
    """Has the gradient written into one flat buffer and updates the parameters from it, block by block.

    A class above says in `_update` what happens to a block. Everything it works on is a view of shape (M, block).
    """

    def __init__(self, network: Network, states: int) -> None:
        self._xp: Any = network.engine.xp
        self._engine = network.engine
        self._writer = GradientWriter(network)
        self.receive = self._writer.receive
        flat = [network.theta.flat, self._writer.gradient.flat]
        flat += [network.new_parameters().flat for _ in range(states)]
        self._blocks = [
            [values[:, start : start + BLOCK] for values in flat] for start in range(0, flat[0].shape[1], BLOCK)
        ]

    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        self._writer.begin(totals, weight_decay)
        self._learning_rate = learning_rate

    def end_step(self) -> None:
        rate = self._engine.asarray(self._rate())[:, None]
        self._engine.for_each(lambda block: self._update(rate, *block), self._blocks)

    def _rate(self) -> Sequence[float]:
        """Return what multiplies the step of each of the M members; called once a step."""
        return self._learning_rate

    def _update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        """Change theta and the states in place; g is ∂objective/∂theta, free to be overwritten."""
        raise NotImplementedError


class Momentum(_FlatOptimizer):
    """SGD with momentum, plain or Nesterov's.

    Source: Sutskever et al. 2013, equations 1 to 4, in the form whose parameters are always the looked-ahead ones
    (Bengio et al. 2013, equation 7), as scikit-learn has it.
    """

    def __init__(self, network: Network, momentum: float, nesterov: bool) -> None:
        super().__init__(network, states=1)
        self._momentum, self._nesterov = momentum, nesterov

    # v ← μ·v - lr·g
    # θ ← θ + v                  Nesterov: θ ← θ + μ·v - lr·g, with the new v
    def _update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        (v,) = states
        g *= rate
        v *= self._momentum
        v -= g
        if self._nesterov:
            theta -= g
            self._xp.multiply(v, self._momentum, out=g)
            theta += g
        else:
            theta += v


class Adam(_FlatOptimizer):
    """Adam. Source: Kingma and Ba 2015, algorithm 1 in the order of operations of its section 2's last paragraph."""

    def __init__(self, network: Network, beta_1: float, beta_2: float, epsilon: float) -> None:
        super().__init__(network, states=2)
        self._beta_1, self._beta_2, self._epsilon = beta_1, beta_2, epsilon
        self._t = 0

    # lr·√(1 - β₂ᵗ)/(1 - β₁ᵗ)
    def _rate(self) -> Sequence[float]:
        self._t += 1
        correction = sqrt(1 - self._beta_2**self._t) / (1 - self._beta_1**self._t)
        return [lr * correction for lr in self._learning_rate]

    # m ← β₁·m + (1 - β₁)·g
    # v ← β₂·v + (1 - β₂)·g²
    # θ ← θ - rate·m/(√v + ε)
    #
    # The states hold m/(1 - β₁) and v/(1 - β₂), which spares two passes and a buffer:
    # θ ← θ - rate·(1 - β₁)/√(1 - β₂) · m'/(√v' + ε/√(1 - β₂))
    def _update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        m, v = states
        m *= self._beta_1
        m += g
        v *= self._beta_2
        g *= g
        v += g
        self._xp.sqrt(v, out=g)
        g += self._epsilon / sqrt(1 - self._beta_2)
        self._xp.divide(m, g, out=g)
        g *= rate * ((1 - self._beta_1) / sqrt(1 - self._beta_2))
        theta -= g


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
