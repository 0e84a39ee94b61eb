"""A fully-connected network: where its parameters lie, forward, backward.

Shapes as in docs/architecture.md: M members of the same shape side by side, B rows, I inputs, O outputs of a layer,
P parameters of a member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mlplab.engine.numpy_engine import Array, NumpyEngine, row_stride
from mlplab.nn.activations import Activation, Identity
from mlplab.nn.initializers import Initializer
from mlplab.nn.penalties import l2_gradient

#: Takes what a layer's gradient is made of: the layer's number, its input a (M, B, I), its delta dz (M, B, O).
Receive = Callable[[int, Array, Array], None]


@dataclass(frozen=True)
class Parameters:
    """A flat buffer, every W first, then every b, and the views of it that the layers use.

    The same layout serves the parameters, their gradient and an optimizer's moments. Where the engine lays the rows of
    a W apart the buffer is a little longer than P, and what lies between the rows is zero and stays so.
    """

    flat: Array  # (M, P and what lies between the rows)
    weights: list[Array]  # of every layer, (M, I, O)
    biases: list[Array]  # of every layer, (M, 1, O); empty for a network without biases
    weight_count: int  # flat[:, :weight_count] are the weights: what penalties act on

    @classmethod
    def over(cls, flat: Array, sizes: tuple[int, ...]) -> Parameters:
        """Lay views over `flat` for layers of the given sizes: inputs, hidden layers, outputs."""
        members, shapes = len(flat), list(pairwise(sizes))
        weights, biases, start = [], [], 0
        for i, o in shapes:
            stride = row_stride(o, flat.dtype)
            weights.append(flat[:, start : start + i * stride].reshape(members, i, stride)[:, :, :o])
            start += i * stride
        weight_count = start
        for _, o in shapes if flat.shape[1] > weight_count else []:
            biases.append(flat[:, start : start + o].reshape(members, 1, o))
            start += o
        return cls(flat, weights, biases, weight_count)

    @classmethod
    def zeros(cls, engine: NumpyEngine, sizes: tuple[int, ...], fit_intercept: bool, members: int) -> Parameters:
        """Return a new buffer of zeros and its views."""
        length = sum(i * row_stride(o, engine.dtype) for i, o in pairwise(sizes))
        return cls.over(engine.zeros(members, length + (sum(sizes[1:]) if fit_intercept else 0)), sizes)

    def __reduce__(self) -> tuple[Any, ...]:
        sizes = (self.weights[0].shape[1], *(W.shape[2] for W in self.weights))
        return Parameters.over, (self.flat, sizes)  # pickled on their own, the views would become copies


def count_parameters(sizes: Sequence[int], fit_intercept: bool) -> int:
    """Return P: the weights, and the biases where there are any, of layers of the given sizes."""
    return sum(i * o for i, o in pairwise(sizes)) + (sum(sizes[1:]) if fit_intercept else 0)


class Network:
    """M networks of one shape, and the two walks through them.

    Args:
        engine: where the arrays live.
        sizes: inputs, units of every hidden layer, outputs. Two sizes are a linear model: depth 0.
        activation: of the hidden layers; the output layer has none, it belongs to the loss.
        fit_intercept: whether layers have biases.
        members: M.
    """

    def __init__(
        self,
        engine: NumpyEngine,
        sizes: Sequence[int],
        activation: Activation,
        fit_intercept: bool = True,
        members: int = 1,
    ) -> None:
        self.engine = engine
        self.sizes = tuple(sizes)
        self.members = members
        self.fit_intercept = fit_intercept
        self.activations: list[Activation] = [activation] * (len(self.sizes) - 2) + [Identity()]
        self.theta = self.new_parameters()

    def __repr__(self) -> str:
        shape = "-".join(map(str, self.sizes))
        count = count_parameters(self.sizes, self.fit_intercept)
        return f"<Network {shape}, {count:,} parameters, members={self.members}>"

    def new_parameters(self) -> Parameters:
        """Return zeros in the layout of this network's parameters."""
        return Parameters.zeros(self.engine, self.sizes, self.fit_intercept, self.members)

    def initialize(self, initializer: Initializer, generators: Sequence[np.random.Generator]) -> None:
        """Draw the weights of every member from its own generator, layer by layer; biases become zero."""
        for m, rng in enumerate(generators):
            for W in self.theta.weights:
                W[m] = self.engine.asarray(initializer(rng, *W.shape[1:]))
            for b in self.theta.biases:
                b[m] = 0

    def forward(self, X: Array, work: Workspace) -> Array:
        """Compute the logits (M, B, C) of the rows X (M, B, I) and return them: `work`'s last array, its own.

        `work` keeps what `backward` needs. X is not changed.
        """
        xp, a = self.engine.xp, X
        for layer, (W, activation) in enumerate(zip(self.theta.weights, self.activations, strict=True)):
            z = work.z[layer]
            work.inputs[layer] = a
            self.engine.matmul(a, W, out=z)
            if self.theta.biases:
                z += self.theta.biases[layer]
            a = work.a[layer]
            activation.forward(xp, z, a)
        return a

    def backward(self, dz: Array, work: Workspace, receive: Receive) -> None:
        """Walk from the last layer down, handing each layer's number, input and delta to `receive`.

        dz (M, B, C) is ∂loss/∂z of the last layer. `receive` may change that layer's weights on the spot: the delta
        for the layer below was computed before. The deltas are not divided by the number of rows.
        """
        xp = self.engine.xp
        for layer in reversed(range(len(self.sizes) - 1)):
            below = layer - 1
            if layer > 0:
                da = work.delta[below]
                self.engine.matmul(dz, self.theta.weights[layer], out=da, transpose_b=True)
                self.activations[below].backward(xp, work.z[below], work.a[below], da)
            receive(layer, work.inputs[layer], dz)
            if layer > 0:
                dz = da


class Workspace:
    """The arrays of one forward and backward walk over batches of `rows` rows, allocated once."""

    def __init__(self, network: Network, rows: int) -> None:
        new, members = network.engine.matrices, network.members
        self.z = [new(members, rows, o) for o in network.sizes[1:]]
        self.a = [
            new(*z.shape) if activation.needs_z else z
            for z, activation in zip(self.z, network.activations, strict=True)
        ]
        self.delta = [new(*z.shape) for z in self.z[:-1]]
        self.inputs: list[Array] = [*self.a]  # of every layer, replaced by `forward`


class GradientWriter:
    """Receives what `Network.backward` hands over and writes the gradient of the objective into one flat buffer."""

    def __init__(self, network: Network) -> None:
        self.gradient = network.new_parameters()
        self._engine, self._theta, self._ones = network.engine, network.theta, Ones(network.engine)

    def begin(self, totals: Sequence[float], weight_decay: Sequence[float]) -> None:
        """Get ready for one batch: what its sums are divided by, and the decay, of each of the M members."""
        self._alpha = [1 / total for total in totals]
        self._decay = self._engine.asarray(weight_decay)[:, None, None] if any(weight_decay) else None

    # ∂objective/∂W = aᵀ·dz / B + decay·W
    # ∂objective/∂b = Σ dz / B
    def receive(self, layer: int, a: Array, dz: Array) -> None:
        """Write one layer's part; a (M, B, I), dz (M, B, O)."""
        g, beta = self.gradient.weights[layer], 0.0
        if self._decay is not None:  # the product adds to the penalty's part, which saves a pass and a buffer
            l2_gradient(self._engine.xp, self._theta.weights[layer], self._decay, out=g)
            beta = 1.0
        self._engine.matmul(a, dz, out=g, transpose_a=True, alpha=self._alpha, beta=beta)
        if self.gradient.biases:
            self._engine.matmul(
                self._ones.of(dz), dz, out=self.gradient.biases[layer], transpose_a=True, alpha=self._alpha
            )


class Ones:
    """The input of the biases, which is 1 in every row: their gradient is a product like that of the weights.

    One call instead of three for the sum, its scaling and the update: a tenth of the step of a small network.
    """

    def __init__(self, engine: NumpyEngine) -> None:
        self._engine = engine
        self._ones: dict[int, Array] = {}

    def of(self, dz: Array) -> Array:
        """Return ones (M, B, 1) for deltas (M, B, O), the same array for the same B."""
        members, rows = dz.shape[:2]
        if rows not in self._ones:
            self._ones[rows] = self._engine.zeros(members, rows, 1)
            self._ones[rows] += 1
        return self._ones[rows]
