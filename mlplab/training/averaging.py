"""Averages of the weights over training, which often predict better than the last weights."""

from __future__ import annotations

from typing import ClassVar, Protocol

from mlplab.engine.base import Array
from mlplab.nn.network import Network


class WeightAverage(Protocol):
    """The interface of an average of the weights."""

    @property
    def remeasures(self) -> bool:
        """Whether the average is so far from the current weights that running statistics must be recomputed."""

    def on_step(self, network: Network) -> None:
        """Update the average with the parameters after a step."""

    def on_epoch_end(self, network: Network, epoch: int) -> None:
        """Update the average with the parameters after this epoch."""

    def swap_in(self, network: Network) -> None:
        """Put the average, if there is one, into the network; keep the current weights for training."""

    def swap_out(self, network: Network) -> None:
        """Put the kept weights, if there are any, back into the network before an epoch."""

    def settle(self) -> None:
        """Drop the kept weights: training continues with the weights in the network."""


class NoAverage:
    """No average: the network keeps its weights. Also the base class of the averages."""

    state_attributes: ClassVar[tuple[str, ...]] = ()
    _own: list[Array] | None = None
    _average: Array | None = None

    @property
    def remeasures(self) -> bool:
        return False

    def on_step(self, network: Network) -> None:
        pass

    def on_epoch_end(self, network: Network, epoch: int) -> None:
        pass

    def swap_in(self, network: Network) -> None:
        if self._average is not None:
            self._own = [network.engine.copy(array) for array in _swapped(network)]
            network.theta.flat[...] = self._average

    def swap_out(self, network: Network) -> None:
        if self._own is not None:
            for array, own in zip(_swapped(network), self._own, strict=True):
                array[...] = own
            self._own = None

    def settle(self) -> None:
        self._own = None


def _swapped(network: Network) -> list[Array]:
    """Return the arrays that change when the average is put into the network."""
    return [network.theta.flat, *(part for r in network.running for part in (r.mean, r.variance))]


class ExponentialAverage(NoAverage):
    """Average ← decay·average + (1 - decay)·θ after every step. Source: Polyak and Juditsky 1992, here weighted.

    In the first steps the decay is smaller, (1 + t)/(10 + t), so that the initial weights soon lose their influence.
    """

    state_attributes = ("_own", "_average", "_t")

    def __init__(self, decay: float) -> None:
        self._decay, self._t = decay, 0

    def on_step(self, network: Network) -> None:
        theta = network.theta.flat
        self._t += 1
        if self._average is None:
            self._average = network.engine.copy(theta)
            return
        decay = min(self._decay, (1 + self._t) / (10 + self._t))
        self._average *= decay
        self._average += (1 - decay) * theta


class LastEpochsAverage(NoAverage):
    """The mean of the weights after each of the last epochs. Source: Izmailov et al. 2018, algorithm 1.

    Args:
        first: the number of the first epoch in the average.
    """

    state_attributes = ("_own", "_average", "_count")

    @property
    def remeasures(self) -> bool:
        return self._count > 0

    def __init__(self, first: int) -> None:
        self._first, self._count = first, 0

    def on_epoch_end(self, network: Network, epoch: int) -> None:
        if epoch < self._first:
            return
        theta = network.theta.flat
        self._count += 1
        if self._average is None:
            self._average = network.engine.copy(theta)
        else:
            self._average = self._average + (theta - self._average) / self._count
