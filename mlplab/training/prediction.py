"""The forward pass for predictions: in compiled code if the engine supports the network, else layer by layer."""

from __future__ import annotations

from mlplab.engine.base import Array, CompiledNetwork
from mlplab.nn.losses import Loss
from mlplab.nn.network import Network, Workspace


class Predictor:
    """Computes the logits of batches, with the network's parameters at the time of each call.

    Args:
        network, loss: compiled by the engine if it can.
        compiled: the compiled network if it exists already, or None.
    """

    def __init__(self, network: Network, loss: Loss, compiled: CompiledNetwork | None = None) -> None:
        self._network = network
        self._compiled = compiled or network.engine.compile(network, loss)
        self._workspaces: dict[int, Workspace] = {}

    def logits(self, X: Array) -> Array:
        """Return the logits (M, B, C) of the rows X (M, B, I), without noise.

        The caller may change the array, and the next call may overwrite it. X has the engine's dtype.
        """
        if self._compiled is not None:
            return self._compiled.logits(X)
        return self._network.forward(X, self.workspace(X.shape[1]))

    def workspace(self, rows: int) -> Workspace:
        """Return the arrays for batches of this many rows, the same ones in every call."""
        if rows not in self._workspaces:
            self._workspaces[rows] = Workspace(self._network, rows)
        return self._workspaces[rows]
