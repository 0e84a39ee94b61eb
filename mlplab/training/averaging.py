"""Averages of the weights along the way, which often are better than where it ends."""

from __future__ import annotations

from typing import Protocol

from mlplab.engine.numpy_engine import Array
from mlplab.nn.network import Network


class WeightAverage(Protocol):
    """What the trainer needs of an average."""

    def on_step(self, network: Network) -> None:
        """Take the parameters after a step."""

    def swap_in(self, network: Network, epoch: int) -> None:
        """Put the average into the network, after that epoch, and keep the weights that training goes on with."""

    def swap_out(self, network: Network) -> None:
        """Put those weights back, before an epoch; nothing where there are none yet."""

    def settle(self) -> None:
        """Forget those weights: training goes on with what the network holds now."""


class _Swap:
    _own: Array | None = None

    def _put(self, network: Network, average: Array) -> None:
        self._own = network.theta.flat.copy()
        network.theta.flat[...] = average

    def swap_out(self, network: Network) -> None:
        if self._own is not None:
            network.theta.flat[...] = self._own
            self._own = None

    def settle(self) -> None:
        self._own = None


class ExponentialAverage(_Swap):
    """Average ← decay·average + (1 - decay)·θ after every step. Source: Polyak and Juditsky 1992, with a short memory.

    In the first steps the memory is shorter still, (1 + t)/(10 + t), so that the start is forgotten.
    """

    remembers = ("_own", "_average", "_t")

    def __init__(self, decay: float) -> None:
        self._decay, self._t = decay, 0
        self._average: Array | None = None

    def on_step(self, network: Network) -> None:
        theta = network.theta.flat
        self._t += 1
        if self._average is None:
            self._average = theta.copy()
            return
        decay = min(self._decay, (1 + self._t) / (10 + self._t))
        self._average *= decay
        self._average += (1 - decay) * theta

    def swap_in(self, network: Network, epoch: int) -> None:
        if self._average is not None:
            self._put(network, self._average)


class LastEpochsAverage(_Swap):
    """The mean of the weights after each of the last epochs. Source: Izmailov et al. 2018, algorithm 1.

    Args:
        first: the number of the first epoch that counts.
    """

    remembers = ("_own", "_mean", "_count")

    def __init__(self, first: int) -> None:
        self._first, self._count = first, 0
        self._mean: Array | None = None

    def on_step(self, network: Network) -> None:
        pass

    def swap_in(self, network: Network, epoch: int) -> None:
        theta = network.theta.flat
        if epoch < self._first:
            return
        self._count += 1
        self._mean = theta.copy() if self._mean is None else self._mean + (theta - self._mean) / self._count
        self._put(network, self._mean)
