"""Penalties on the weights (biases are free), added to the mean loss of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlplab.engine.numpy_engine import Array


# ½·decay·‖W‖²
def l2_value(xp: Any, weights: Array, decay: Sequence[float]) -> Array:
    """Return the penalty of each member (M,); weights (M, K) flat, decay of each member."""
    # not a dot product: NumPy's own BLAS would be a second pool of threads, and one wakes up to wait in a loop
    value: Array = 0.5 * xp.asarray(decay, dtype=weights.dtype) * xp.einsum("mk,mk->m", weights, weights)
    return value


# decay·W
def l2_gradient(xp: Any, W: Array, decay: Array, out: Array) -> None:
    """Write the penalty's derivative into `out`; W and out (M, I, O), decay (M, 1, 1)."""
    xp.multiply(W, decay, out=out)
