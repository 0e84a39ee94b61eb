"""A fully connected network: the layout of its parameters, the forward and the backward pass.

Shapes are named as in docs/architecture.md: M members of the same shape, B rows, I inputs and O outputs of a layer, P
parameters of a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from mlplab.engine.base import Array, Engine
from mlplab.nn.activations import Activation, Identity
from mlplab.nn.initializers import Initializer
from mlplab.nn.noise import Noise, add_normal, draw_mask
from mlplab.nn.normalization import Normalization, Running
from mlplab.nn.penalties import l1_gradient, l2_gradient

NO_NOISE = Noise()
_NONE_RUNNING = Running(np.empty(0), np.empty(0))


class Receiver(Protocol):
    """Receives the terms of the gradient from `Network.backward`."""

    def receive(self, layer: int, a: Array, dz: Array) -> None:
        """Receive a layer's input a (M, B, I) and delta dz (M, B, O)."""

    def receive_scale(self, layer: int, dgain: Array, dshift: Array) -> None:
        """Receive the derivatives by a hidden layer's gain and shift for every row, (M, B, O) each."""


@dataclass(frozen=True)
class Layout:
    """The layout of a network's parameters: the sizes of all layers, and whether there are biases and normalization."""

    sizes: tuple[int, ...]
    fit_intercept: bool = True
    normalized: bool = False

    def vectors(self) -> list[int]:
        """Return the lengths of the vectors after the weights: biases, then gain and shift of every hidden layer."""
        biases = list(self.sizes[1:]) if self.fit_intercept else []
        return biases + [o for o in self.sizes[1:-1] for _ in range(2) if self.normalized]

    def count(self) -> int:
        """Return P, the number of parameters."""
        return sum(i * o for i, o in pairwise(self.sizes)) + sum(self.vectors())


@dataclass(frozen=True)
class Parameters:
    """A flat buffer, every W first, then every b, then gains and shifts, and the views of it that the layers use.

    The parameters, their gradient and an optimizer's moments have the same layout. If the engine pads the rows of a W,
    the buffer is a little longer than P, and the padding is always 0.
    """

    flat: Array  # (M, P and the padding)
    weights: list[Array]  # of every layer, (M, I, O)
    biases: list[Array]  # of every layer, (M, 1, O); empty for a network without biases
    scales: list[tuple[Array, Array]]  # gain and shift of every hidden layer, (M, 1, O) each, if it is normalized
    weight_count: int  # flat[:, :weight_count] are the weights, to which penalties apply
    engine: Engine
    layout: Layout

    @classmethod
    def over(cls, engine: Engine, flat: Array, layout: Layout) -> Parameters:
        """Create the views of `flat`, with the rows of each W at the stride that the engine chooses."""
        members, shapes = len(flat), list(pairwise(layout.sizes))
        weights, start = [], 0
        for i, o in shapes:
            stride = engine.row_stride(o)
            weights.append(flat[:, start : start + i * stride].reshape(members, i, stride)[:, :, :o])
            start += i * stride
        weight_count = start
        vectors = []
        for o in layout.vectors():
            vectors.append(flat[:, start : start + o].reshape(members, 1, o))
            start += o
        biases = vectors[: len(shapes)] if layout.fit_intercept else []
        rest = vectors[len(biases) :]
        scales = list(zip(rest[::2], rest[1::2], strict=True))
        return cls(flat, weights, biases, scales, weight_count, engine, layout)

    @classmethod
    def zeros(cls, engine: Engine, layout: Layout, members: int) -> Parameters:
        """Return a new buffer of zeros and its views."""
        length = sum(i * engine.row_stride(o) for i, o in pairwise(layout.sizes)) + sum(layout.vectors())
        return cls.over(engine, engine.zeros(members, length), layout)

    def __reduce__(self) -> tuple[Any, ...]:
        # pickled on their own, the views would become copies
        return Parameters.over, (self.engine, self.flat, self.layout)


def count_parameters(sizes: Sequence[int], fit_intercept: bool, normalized: bool = False) -> int:
    """Return P, the number of weights and, if there are any, of biases, gains and shifts."""
    return Layout(tuple(sizes), fit_intercept, normalized).count()


class Network:
    """M networks of one shape, with their forward and backward passes.

    Args:
        engine: stores the arrays and computes with them.
        sizes: the number of inputs, of units in every hidden layer, and of outputs. Two sizes make a linear model.
        activation: of the hidden layers, one for all or a list with one for each; that of the output layer is part of
            the loss.
        fit_intercept: whether layers have biases.
        members: M.
        normalization: of the hidden layers' pre-activations, or None.
        noise: the noise that is added in training.

    Attributes:
        generators: one per member, for the noise.
        running: the running statistics of every hidden layer, if the normalization has any.
    """

    state_attributes = ("theta", "running", "generators")

    def __init__(
        self,
        engine: Engine,
        sizes: Sequence[int],
        activation: Activation | Sequence[Activation],
        fit_intercept: bool = True,
        members: int = 1,
        normalization: Normalization | None = None,
        noise: Noise = NO_NOISE,
    ) -> None:
        self.engine = engine
        self.sizes = tuple(sizes)
        self.members = members
        self.fit_intercept = fit_intercept
        self.normalization, self.noise = normalization, noise
        self.generators: Sequence[np.random.Generator] = [np.random.default_rng(m) for m in range(members)]
        hidden = activation if isinstance(activation, Sequence) else [activation] * (len(self.sizes) - 2)
        self.activations: list[Activation] = [*hidden, Identity()]
        self.layout = Layout(self.sizes, fit_intercept, normalization is not None)
        self.theta = self.new_parameters()
        for gain, _ in self.theta.scales:
            gain[...] = 1
        runs = normalization is not None and normalization.runs
        zeros = engine.zeros
        self.running = [Running(zeros(members, 1, o), zeros(members, 1, o) + 1) for o in self.sizes[1:-1] if runs]

    def __repr__(self) -> str:
        shape = "-".join(map(str, self.sizes))
        return f"<Network {shape}, {self.layout.count():,} parameters, members={self.members}>"

    def new_parameters(self) -> Parameters:
        """Return zeros in the layout of this network's parameters."""
        return Parameters.zeros(self.engine, self.layout, self.members)

    def initialize(self, initializers: Sequence[Initializer], generators: Sequence[np.random.Generator]) -> None:
        """Draw the weights of each member from its own generator, layer by layer; set the biases to 0."""
        for m, rng in enumerate(generators):
            for W, initializer in zip(self.theta.weights, initializers, strict=True):
                W[m] = self.engine.asarray(initializer(rng, *W.shape[1:]))
            for b in self.theta.biases:
                b[m] = 0

    def arrays(self, member: int = 0) -> dict[str, Array]:
        """Return views of all arrays that predictions depend on, by the names used in model files."""
        theta = self.theta
        groups = {
            "coefs": [W[member] for W in theta.weights],
            "intercepts": [b[member, 0] for b in theta.biases],
            "gains": [gain[member, 0] for gain, _ in theta.scales],
            "shifts": [shift[member, 0] for _, shift in theta.scales],
            "running_means": [running.mean[member, 0] for running in self.running],
            "running_variances": [running.variance[member, 0] for running in self.running],
        }
        return {f"{group}.{layer}": view for group, views in groups.items() for layer, view in enumerate(views)}

    def forward(self, X: Array, work: Workspace, training: bool = False) -> Array:
        """Compute the logits (M, B, C) of the rows X (M, B, I) and return them; they are the last array of `work`.

        `work` keeps the values that `backward` needs. X is not changed. In `training`, noise is added and batch
        normalization uses the statistics of the batch.
        """
        xp, a, noise = self.engine.xp, X, self.noise if training else NO_NOISE
        if noise.on_inputs:
            a = self._disturb(X, work)
        for layer, (W, activation) in enumerate(zip(self.theta.weights, self.activations, strict=True)):
            z = work.z[layer]
            work.inputs[layer] = a
            self.engine.matmul(a, W, out=z)
            if self.theta.biases:
                z += self.theta.biases[layer]
            hidden = layer < len(self.sizes) - 2
            if hidden and self.normalization:
                self._normalize(layer, z, work, training)
            if hidden and noise.hidden_noise:
                add_normal(self.engine, self.generators, noise.hidden_noise, z)
            a = work.a[layer]
            activation.forward(xp, z, a)
            if hidden and noise.dropout:  # into another array: the derivative of the activation needs a
                draw_mask(self.engine, self.generators, noise.dropout, work.masks[layer])
                a = xp.multiply(a, work.masks[layer], out=work.dropped[layer])
        return a

    def _disturb(self, X: Array, work: Workspace) -> Array:
        if self.noise.input_dropout:
            draw_mask(self.engine, self.generators, self.noise.input_dropout, work.disturbed)
            work.disturbed *= X
        else:
            work.disturbed[...] = X
        if self.noise.input_noise:
            add_normal(self.engine, self.generators, self.noise.input_noise, work.disturbed)
        return work.disturbed

    # z ← gain·n + shift with n = normalized z
    def _normalize(self, layer: int, z: Array, work: Workspace, training: bool) -> None:
        assert self.normalization is not None
        n, (gain, shift) = work.normal[layer], self.theta.scales[layer]
        running = self.running[layer] if self.running else _NONE_RUNNING
        work.scale[layer] = self.normalization.forward(self.engine.xp, z, n, running, training)
        self.engine.xp.multiply(n, gain, out=z)
        z += shift

    def backward(self, dz: Array, work: Workspace, receiver: Receiver) -> None:
        """Pass each layer's index, input and delta to `receiver`, from the last layer to the first.

        dz (M, B, C) is ∂loss/∂z of the last layer. `receiver` may change the layer's parameters immediately, because
        the delta for the layer below has already been computed. The deltas are not divided by the number of rows.
        """
        xp = self.engine.xp
        for layer in reversed(range(len(self.sizes) - 1)):
            below = layer - 1
            if layer > 0:
                da = work.delta[below]
                self.engine.matmul(dz, self.theta.weights[layer], out=da, transpose_b=True)
                if work.dropped:
                    da *= work.masks[below]
                self.activations[below].backward(xp, work.z[below], work.a[below], da)
            receiver.receive(layer, work.inputs[layer], dz)
            if layer > 0:
                if self.normalization:
                    n, (gain, _) = work.normal[below], self.theta.scales[below]
                    dn = da * gain
                    receiver.receive_scale(below, da * n, da)
                    self.normalization.backward(xp, n, work.scale[below], dn)
                    da[...] = dn
                dz = da


class Workspace:
    """The arrays of one forward and backward pass over batches of `rows` rows, allocated once."""

    def __init__(self, network: Network, rows: int) -> None:
        new, members, noise = network.engine.matrices, network.members, network.noise
        self.z = [new(members, rows, o) for o in network.sizes[1:]]
        self.a = [
            new(*z.shape) if activation.needs_z else z
            for z, activation in zip(self.z, network.activations, strict=True)
        ]
        self.delta = [new(*z.shape) for z in self.z[:-1]]
        self.inputs: list[Array] = [*self.a]  # of every layer, replaced by `forward`
        self.masks, self.dropped = ([new(*d.shape) for d in self.delta if noise.dropout] for _ in range(2))
        self.normal = [new(*d.shape) for d in self.delta if network.normalization]
        self.scale: list[Array] = [*self.normal]  # replaced by `forward`
        self.disturbed = new(members, rows if noise.on_inputs else 0, network.sizes[0])


class GradientWriter:
    """Receives the terms from `Network.backward` and writes the gradient of the objective into one flat buffer."""

    def __init__(self, network: Network, l1: float = 0.0) -> None:
        self.gradient = network.new_parameters()
        self._engine, self._theta, self._ones = network.engine, network.theta, Ones(network.engine)
        self._l1 = l1

    def begin(self, totals: Sequence[float], weight_decay: Sequence[float]) -> None:
        """Prepare for a batch, with the divisor of its sums and the weight decay for each of the M members."""
        self._alpha = [1 / total for total in totals]
        self._decay = self._engine.asarray(weight_decay)[:, None, None] if any(weight_decay) else None
        self._beta = 0.0

    def resume(self) -> None:
        """Prepare for more rows of the same batch, which are added to the gradient."""
        self._beta = 1.0

    # ∂objective/∂gain = Σ dgain / B, ∂objective/∂shift = Σ dshift / B
    def receive_scale(self, layer: int, dgain: Array, dshift: Array) -> None:
        """Write the gradient of a hidden layer's gain and shift, from the derivatives of every row, (M, B, O) each."""
        for d, g in zip((dgain, dshift), self.gradient.scales[layer], strict=True):
            ones = self._ones.of(d)
            self._engine.matmul(ones, d, out=g, transpose_a=True, alpha=self._alpha, beta=self._beta)

    # ∂objective/∂W = aᵀ·dz / B + decay·W + l1·sign(W)
    # ∂objective/∂b = Σ dz / B
    def receive(self, layer: int, a: Array, dz: Array) -> None:
        """Write the gradient of one layer's weights and biases; a (M, B, I), dz (M, B, O)."""
        g, beta = self.gradient.weights[layer], self._beta
        # the product is added to the gradient of the penalty, which saves a pass and a buffer
        if self._decay is not None and not beta:
            l2_gradient(self._engine.xp, self._theta.weights[layer], self._decay, out=g)
            beta = 1.0
        self._engine.matmul(a, dz, out=g, transpose_a=True, alpha=self._alpha, beta=beta)
        if self.gradient.biases:
            ones, gb = self._ones.of(dz), self.gradient.biases[layer]
            self._engine.matmul(ones, dz, out=gb, transpose_a=True, alpha=self._alpha, beta=self._beta)
        if self._l1 and not self._beta:
            g += l1_gradient(self._engine.xp, self._theta.weights[layer], self._l1)


class Ones:
    """The input of the biases, which is 1 in every row: their gradient is a product like that of the weights.

    One call replaces three for the sum, its scaling and the update, which saves a tenth of the step of a small network.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ones: dict[int, Array] = {}

    def of(self, dz: Array) -> Array:
        """Return ones (M, B, 1) for deltas (M, B, O), the same array for the same B."""
        members, rows = dz.shape[:2]
        if rows not in self._ones:
            self._ones[rows] = self._engine.zeros(members, rows, 1)
            self._ones[rows] += 1
        return self._ones[rows]
