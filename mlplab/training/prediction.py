"""The forward pass without training: in compiled code where the engine has it for the network, else layer by layer."""

from __future__ import annotations

from mlplab.engine.base import Array, CompiledNetwork
from mlplab.nn.losses import Loss
from mlplab.nn.network import Network, Workspace


class Predictor:
    """Computes the logits of batches, with the network's parameters at the time of each call.

    Args:
        network, loss: what the engine may compile.
        compiled: the network compiled already, or None.
    """

    def __init__(self, network: Network, loss: Loss, compiled: CompiledNetwork | None = None) -> None:
        self._network = network
        self._compiled = compiled or network.engine.compile(network, loss)
        self._workspaces: dict[int, Workspace] = {}

    def logits(self, X: Array) -> Array:
        """Return the logits (M, B, C) of the rows X (M, B, I), without noise.

        The array is the caller's to change; the next call may overwrite it. X is of the engine's dtype.
        """
        if self._compiled is not None:
            return self._compiled.logits(X)
        return self._network.forward(X, self.workspace(X.shape[1]))

    def workspace(self, rows: int) -> Workspace:
        """Return the arrays for batches of that many rows, the same ones every time."""
        if rows not in self._workspaces:
            self._workspaces[rows] = Workspace(self._network, rows)
        return self._workspaces[rows]
