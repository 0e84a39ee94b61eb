"""Penalties on the weights, but not on the biases, added to the mean loss of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlplab.engine.base import Array


# ½·decay·‖W‖²
def l2_value(xp: Any, weights: Array, decay: Sequence[float]) -> Array:
    """Return the penalty of each member (M,); weights (M, K) flat, decay of each member."""
    # not a dot product: NumPy's own BLAS would be a second pool of threads, which wait in a busy loop
    value: Array = 0.5 * xp.asarray(decay, dtype=weights.dtype) * xp.einsum("mk,mk->m", weights, weights)
    return value


# l1·Σ|W|
def l1_value(xp: Any, weights: Array, l1: float) -> Array:
    """Return the penalty of each member (M,); weights (M, K) flat."""
    value: Array = l1 * xp.abs(weights).sum(axis=1)
    return value


# decay·W
def l2_gradient(xp: Any, W: Array, decay: Array, out: Array) -> None:
    """Write the penalty's derivative into `out`; W and out (M, I, O), decay (M, 1, 1)."""
    xp.multiply(W, decay, out=out)


# l1·sign(W)
def l1_gradient(xp: Any, W: Array, l1: float) -> Array:
    """Return the penalty's derivative (M, I, O), 0 at 0."""
    gradient: Array = l1 * xp.sign(W)
    return gradient


# ‖column of W‖ ≤ max_norm
def limit_norms(xp: Any, W: Array, max_norm: float) -> None:
    """Limit the norm of the weights into each unit, in place; W (M, I, O). Source: Srivastava et al. 2014, 5.1."""
    norms = xp.sqrt(xp.einsum("mio,mio->mo", W, W))[:, None]
    W *= max_norm / xp.maximum(norms, max_norm)
