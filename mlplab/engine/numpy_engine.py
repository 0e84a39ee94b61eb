"""The engine on NumPy arrays: SciPy's BLAS for the matrix products, NumPy for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

Array = npt.NDArray[Any]
#: A factor for every member, or one for each.
Factor = float | Sequence[float]


class NumpyEngine:
    """Arrays on the CPU, computed in `dtype` (float32 or float64).

    Attributes:
        xp: the array functions that the formulas in `mlplab.nn` are written with.
        dtype: what everything is computed in.
    """

    xp = np

    def __init__(self, dtype: npt.DTypeLike = np.float32) -> None:
        self.dtype = np.dtype(dtype)
        # One library for every product: NumPy and SciPy each bring an OpenBLAS with threads of its own, and a loop
        # that alternates between them took 16 ms a step instead of 3 (784-1024-1024-10, batch 100, 2 cores).
        self._gemm = {"float32": blas.sgemm, "float64": blas.dgemm}[self.dtype.name]

    def __reduce__(self) -> tuple[type[NumpyEngine], tuple[Any, ...]]:
        return NumpyEngine, (self.dtype,)  # BLAS routines cannot be pickled: look them up again

    def matmul(
        self,
        A: Array,
        B: Array,
        out: Array,
        transpose_a: bool = False,
        transpose_b: bool = False,
        alpha: Factor = 1.0,
        beta: Factor = 0.0,
    ) -> None:
        """Compute ``out ← alpha·op(A)·op(B) + beta·out`` in place, for each member.

        A, B and out have the leading axis M and C-ordered matrices behind it, all of the engine's dtype; op transposes
        the matrices where asked. alpha and beta are numbers or sequences of M numbers. With ``beta = 0`` what out held
        before does not matter.
        """
        for m in range(len(out)):
            # BLAS wants Fortran order. The transpose of a C-ordered matrix is one without a copy, and
            # (op(A) op(B))ᵀ = op(B)ᵀ op(A)ᵀ; a copy would be updated in place of `out` itself.
            self._gemm(
                alpha if isinstance(alpha, float) else alpha[m],
                B[m].T,
                A[m].T,
                beta=beta if isinstance(beta, float) else beta[m],
                c=out[m].T,
                trans_a=transpose_b,
                trans_b=transpose_a,
                overwrite_c=1,
            )

    def empty(self, *shape: int) -> Array:
        """Return a new array of the engine's dtype, its values undefined."""
        return np.empty(shape, self.dtype)

    def zeros(self, *shape: int) -> Array:
        """Return a new array of zeros of the engine's dtype."""
        return np.zeros(shape, self.dtype)

    def asarray(self, values: npt.ArrayLike) -> Array:
        """Return `values` as an array of the engine, copied only where dtype or order demand it."""
        return np.ascontiguousarray(values, self.dtype)

    def to_numpy(self, array: Array) -> Array:
        """Return `array` as a NumPy array (here: itself)."""
        return array

    def gather(self, source: Array, rows: Array, out: Array, scale: float = 1.0) -> None:
        """Write ``scale · source[rows]`` into `out`; source (N, K) of any number type, rows (M, B), out (M, B, K).

        Images stay uint8 until here: a quarter of the memory, and a quarter of the traffic.
        """
        if source.dtype == out.dtype:
            # mode="clip" writes straight into `out`; the default would go through a buffer. Rows are always valid.
            source.take(rows, axis=0, out=out, mode="clip")
            if scale != 1.0:
                out *= scale
        else:
            np.multiply(source[rows], out.dtype.type(scale), out=out, casting="same_kind")

    def quiet(self) -> np.errstate:
        """Return a context in which overflow gives infinity in silence: the trainer looks at the loss instead."""
        return np.errstate(over="ignore", invalid="ignore")
