"""Penalties on the weights (biases are free), added to the mean loss of a batch."""

from __future__ import annotations

from typing import Any

from mlplab.engine.numpy_engine import Array


# ½·decay·‖W‖²
def l2_value(xp: Any, weights: Array, decay: Array) -> Array:
    """Return the penalty of each member (M,); weights (M, K) flat, decay (M,)."""
    value: Array = 0.5 * decay * xp.stack([xp.dot(w, w) for w in weights])
    return value


# decay·W
def l2_gradient(xp: Any, W: Array, decay: Array, out: Array) -> None:
    """Write the penalty's derivative into `out`; W and out (M, I, O), decay (M,)."""
    xp.multiply(W, decay[:, None, None], out=out)
