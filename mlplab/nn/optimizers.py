"""Optimizers: each receives the terms of the gradient from back-propagation and updates the parameters in place.

A step consists of `begin_step`, the methods of `Receiver` for each layer from the last to the first, and `end_step`. To
add one, write its class and add a line to `OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Protocol

from mlplab.engine.base import Array
from mlplab.nn.network import GradientWriter, Network, Ones


class Optimizer(Protocol):
    """The interface of an optimizer."""

    #: Whether weight decay shrinks the weights separately from the gradient and is not part of the objective.
    decoupled: bool
    # An optimizer may also have `state_attributes`, the names of its attributes that change from step to step (arrays,
    # `Parameters`, numbers). They are required for a fit with a checkpoint.

    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        """Prepare for a batch; each argument has a number for each of the M members.

        totals: the divisors of the sums over the batch, the number of its rows or the sum of their weights.
        """

    def receive(self, layer: int, a: Array, dz: Array) -> None:
        """Receive a layer's input a (M, B, I) and delta dz (M, B, O)."""

    def receive_scale(self, layer: int, dgain: Array, dshift: Array) -> None:
        """Receive the derivatives by a hidden layer's gain and shift for every row, (M, B, O) each."""

    def end_step(self) -> None:
        """Finish the update of the network's parameters."""


class SGD:
    """Plain stochastic gradient descent, W ← W - lr·(∂loss/∂W + decay·W), as one product per layer."""

    decoupled = False
    state_attributes: tuple[str, ...] = ()

    def __init__(self, network: Network) -> None:
        self._engine, self._theta, self._ones = network.engine, network.theta, Ones(network.engine)

    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        self._alpha = [-lr / total for lr, total in zip(learning_rate, totals, strict=True)]
        self._beta = [1 - lr * decay for lr, decay in zip(learning_rate, weight_decay, strict=True)]

    # W ← (1 - lr·decay)·W - lr/B·aᵀ·dz: without storing a gradient, and without another pass over the weights
    # b ← b - lr/B·Σ dz
    def receive(self, layer: int, a: Array, dz: Array) -> None:
        W, update = self._theta.weights[layer], self._engine.matmul
        update(a, dz, out=W, transpose_a=True, alpha=self._alpha, beta=self._beta)
        if self._theta.biases:
            b = self._theta.biases[layer]
            update(self._ones.of(dz), dz, out=b, transpose_a=True, alpha=self._alpha, beta=1.0)

    # gain ← gain - lr/B·Σ dgain, shift ← shift - lr/B·Σ dshift
    def receive_scale(self, layer: int, dgain: Array, dshift: Array) -> None:
        for d, values in zip((dgain, dshift), self._theta.scales[layer], strict=True):
            self._engine.matmul(self._ones.of(d), d, out=values, transpose_a=True, alpha=self._alpha, beta=1.0)

    def end_step(self) -> None:
        pass


#: Number of parameters updated at a time: a block's values stay in a core's cache from one line to the next.
BLOCK = 65_536


class FlatOptimizer:
    """Collects the gradient in one flat buffer and updates the parameters from it, block by block.

    A subclass implements `update`, which changes one block. All arrays that `update` receives are views (M, block).

    Args:
        states: the number of state values kept for each parameter.
        start: the position in the flat buffer of the first parameter to update.
    """

    decoupled = False
    state_attributes: tuple[str, ...] = ("_states",)

    def __init__(self, network: Network, states: int, settings: OptimizerSettings, start: int = 0) -> None:
        self._network, self._clip_norm, self._start = network, settings.clip_norm, start
        self._writer = GradientWriter(network, settings.l1)
        self._states = [network.new_parameters() for _ in range(states)]
        self._lay_blocks()

    def _lay_blocks(self) -> None:
        self._engine, self.xp = self._network.engine, self._network.engine.xp
        self.receive, self.receive_scale = self._writer.receive, self._writer.receive_scale
        flat = [part.flat for part in (self._network.theta, self._writer.gradient, *self._states)]
        self._blocks = [
            [values[:, start : start + BLOCK] for values in flat]
            for start in range(self._start, flat[0].shape[1], BLOCK)
        ]

    def __getstate__(self) -> dict[str, Any]:
        views = ("_blocks", "receive", "receive_scale", "xp", "_engine")  # they would be pickled as copies
        return {name: value for name, value in vars(self).items() if name not in views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lay_blocks()

    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        self._writer.begin(totals, weight_decay)
        self._learning_rate = learning_rate

    def end_step(self) -> None:
        if self._clip_norm is not None:
            self._clip(self._writer.gradient.flat, self._clip_norm)
        rate = self._engine.asarray(self._rate())[:, None]
        self._engine.for_each(lambda block: self.update(rate, *block), self._blocks)

    # g ← g·min(1, clip_norm/‖g‖)
    # Source: Pascanu et al. 2013, algorithm 1
    def _clip(self, g: Array, clip_norm: float) -> None:
        norm = self.xp.sqrt(self.xp.einsum("mp,mp->m", g, g))
        g *= self.xp.minimum(1, clip_norm / self.xp.maximum(norm, clip_norm))[:, None]

    def _rate(self) -> Sequence[float]:
        """Return the factor of the step of each of the M members; called once per step."""
        return self._learning_rate

    def update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        """Update theta and the states in place; g is ∂objective/∂theta and may be overwritten."""
        raise NotImplementedError


class Momentum(FlatOptimizer):
    """SGD with momentum, plain or Nesterov's.

    Source: Sutskever et al. 2013, equations 1 to 4, in the form that stores the parameters after the look-ahead (Bengio
    et al. 2013, equation 7), as in scikit-learn.
    """

    def __init__(self, network: Network, settings: OptimizerSettings) -> None:
        super().__init__(network, 1, settings)
        self._momentum, self._nesterov = settings.momentum, settings.nesterovs_momentum

    # v ← μ·v - lr·g
    # θ ← θ + v                  Nesterov: θ ← θ + μ·v - lr·g, with the new v
    def update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        (v,) = states
        g *= rate
        v *= self._momentum
        v -= g
        if self._nesterov:
            theta -= g
            self.xp.multiply(v, self._momentum, out=g)
            theta += g
        else:
            theta += v


class Adam(FlatOptimizer):
    """Adam. Source: Kingma and Ba 2015, algorithm 1, in the order of operations of the last paragraph of section 2."""

    state_attributes = ("_states", "_t")

    def __init__(self, network: Network, settings: OptimizerSettings, start: int = 0) -> None:
        super().__init__(network, 2, settings, start)
        self._beta_1, self._beta_2, self._epsilon = settings.beta_1, settings.beta_2, settings.epsilon
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
    # The states hold m/(1 - β₁) and v/(1 - β₂), which saves two passes and a buffer:
    # θ ← θ - rate·(1 - β₁)/√(1 - β₂) · m'/(√v' + ε/√(1 - β₂))
    def update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        m, v = states
        m *= self._beta_1
        m += g
        v *= self._beta_2
        g *= g
        v += g
        self.xp.sqrt(v, out=g)
        g += self._epsilon / sqrt(1 - self._beta_2)
        self.xp.divide(m, g, out=g)
        g *= rate * ((1 - self._beta_1) / sqrt(1 - self._beta_2))
        theta -= g


class AdamW(Adam):
    """Adam with decoupled weight decay. Source: Loshchilov and Hutter 2019, algorithm 2, line 12."""

    decoupled = True

    # W ← (1 - lr·decay)·W, biases are not changed; then as Adam
    def begin_step(
        self, totals: Sequence[float], learning_rate: Sequence[float], weight_decay: Sequence[float]
    ) -> None:
        super().begin_step(totals, learning_rate, [0.0] * len(weight_decay))
        self._shrink = [1 - lr * decay for lr, decay in zip(learning_rate, weight_decay, strict=True)]

    def end_step(self) -> None:
        if any(shrink != 1 for shrink in self._shrink):
            theta = self._network.theta
            theta.flat[:, : theta.weight_count] *= self._engine.asarray(self._shrink)[:, None]
        super().end_step()


class NAdam(Adam):
    """Adam with Nesterov's look-ahead. Source: Dozat 2016, algorithm 2, with one β₁ for all steps."""

    # lr·√(1 - β₂ᵗ): the look-ahead has two corrections of its own
    def _rate(self) -> Sequence[float]:
        self._t += 1
        return [lr * sqrt(1 - self._beta_2**self._t) for lr in self._learning_rate]

    # m ← β₁·m + (1 - β₁)·g
    # v ← β₂·v + (1 - β₂)·g²
    # θ ← θ - rate·(β₁·m/(1 - β₁ᵗ⁺¹) + (1 - β₁)·g/(1 - β₁ᵗ))/(√v + ε)
    def update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        m, v = states
        m *= self._beta_1
        m += (1 - self._beta_1) * g
        v *= self._beta_2
        v += (1 - self._beta_2) * g * g
        ahead = self._beta_1 / (1 - self._beta_1 ** (self._t + 1))
        now = (1 - self._beta_1) / (1 - self._beta_1**self._t)
        g *= now
        g += ahead * m
        g /= self.xp.sqrt(v) + self._epsilon
        g *= rate
        theta -= g


class RMSProp(FlatOptimizer):
    """Divides each step by the root of a running mean of g². Source: Tieleman and Hinton 2012, lecture 6.5."""

    def __init__(self, network: Network, settings: OptimizerSettings) -> None:
        super().__init__(network, 1, settings)
        self._rho, self._epsilon = settings.rho, settings.epsilon

    # v ← ρ·v + (1 - ρ)·g²
    # θ ← θ - lr·g/(√v + ε)
    def update(self, rate: Array, theta: Array, g: Array, *states: Array) -> None:
        (v,) = states
        v *= self._rho
        v += (1 - self._rho) * g * g
        g /= self.xp.sqrt(v) + self._epsilon
        g *= rate
        theta -= g


class Muon(AdamW):
    """Orthogonalized steps for all weights except those of the output layer; AdamW for all other parameters.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; steps are multiplied by
    0.2·√max(I, O), so that Adam's learning rates are suitable (Liu et al. 2025, section 2.2).
    """

    def __init__(self, network: Network, settings: OptimizerSettings) -> None:
        start = sum(i * network.engine.row_stride(o) for i, o in pairwise(network.sizes[:-1]))
        super().__init__(network, settings, start)
        self._momentum = settings.momentum

    # v ← μ·v + g
    # W ← (1 - lr·decay)·W - lr·0.2·√max(I, O)·orthogonal(g + μ·v)
    def end_step(self) -> None:
        super().end_step()
        rate = self._engine.asarray(self._learning_rate)[:, None, None]
        parts = (self._network.theta, self._writer.gradient, self._states[0])
        for layer in range(len(self._network.theta.weights) - 1):
            W, g, v = (part.weights[layer] for part in parts)
            v *= self._momentum
            v += g
            g += self._momentum * v
            W -= (rate * (0.2 * sqrt(max(W.shape[1:])))) * self._orthogonal(g)

    # X ← g/‖g‖, then five times
    # X ← a·X + b·(X·Xᵀ)·X + c·(X·Xᵀ)²·X        brings all singular values close to 1
    def _orthogonal(self, g: Array) -> Array:
        xp, product, (members, rows, columns) = self.xp, self._engine.matmul, g.shape
        small, tall = min(rows, columns), rows > columns
        X, Y = (self._engine.matrices(*g.shape) for _ in range(2))
        A, B = (self._engine.matrices(members, small, small) for _ in range(2))
        xp.divide(g, xp.sqrt(xp.einsum("mio,mio->m", g, g))[:, None, None] + 1e-7, out=X)
        for _ in range(5):
            product(X, X, A, transpose_a=tall, transpose_b=not tall)
            product(A, A, B, alpha=2.0315)
            A *= -4.7750
            B += A
            xp.multiply(X, 3.4445, out=Y)
            if tall:
                product(X, B, Y, beta=1.0)
            else:
                product(B, X, Y, beta=1.0)
            X, Y = Y, X
        return X


class OptimizerSettings(Protocol):
    """The settings that optimizers read, with scikit-learn's names where it has them."""

    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    rho: float
    clip_norm: float | None
    l1: float


def _sgd(network: Network, settings: OptimizerSettings) -> Optimizer:
    # SGD updates the weights in one product and has no gradient that could be clipped or added to
    plain = settings.momentum == 0 and settings.clip_norm is None and settings.l1 == 0
    return SGD(network) if plain else Momentum(network, settings)


#: Optimizers by the names used in settings, scikit-learn's `solver`.
OPTIMIZERS: dict[str, Callable[[Network, OptimizerSettings], Optimizer]] = {
    "sgd": _sgd,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "muon": Muon,
}
