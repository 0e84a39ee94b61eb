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
def l2_add_gradient(xp: Any, weights: Array, decay: Array, gradient: Array) -> None:
    """Add the penalty's derivative to `gradient` (M, K) in place; weights (M, K), decay (M,)."""
    if decay.any():
        gradient += decay[:, None] * weights
