"""The engine on NumPy arrays: a BLAS library for the matrix products, NumPy for everything else."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from mlplab.engine.base import Array, Factor
from mlplab.engine.blas import load_blas

#: The number of products kept prepared: preparing one takes 20 µs, as long as a small network's step.
PRODUCTS_KEPT = 256


class _Product:
    """A prepared ``out ← alpha·op(A)·op(B) + beta·out``. It holds weak references only, so the arrays can be freed."""

    def __init__(
        self, gemm: Callable[..., None], A: Array, B: Array, out: Array, transpose_a: bool, transpose_b: bool
    ) -> None:
        _check(A, B, out, transpose_a, transpose_b)
        self._gemm = gemm
        self._A, self._B, self._out = ref(A), ref(B), ref(out)
        number = ctypes.c_float if out.dtype == np.float32 else ctypes.c_double
        self._alpha, self._beta = number(), number()
        inner = A.shape[1] if transpose_a else A.shape[2]
        # BLAS wants Fortran order. A C-ordered matrix is one transposed, and (op(A) op(B))ᵀ = op(B)ᵀ op(A)ᵀ.
        columns, rows, depth, ldb, lda, ldc = (
            ctypes.byref(ctypes.c_int(n))
            for n in (out.shape[2], out.shape[1], inner, _leading(B), _leading(A), _leading(out))
        )
        of_b, of_a = (ctypes.c_char_p(b"T" if transposed else b"N") for transposed in (transpose_b, transpose_a))
        alpha, beta = ctypes.byref(self._alpha), ctypes.byref(self._beta)
        self._calls = [
            (of_b, of_a, columns, rows, depth, alpha, _start(B[m]), ldb, _start(A[m]), lda, beta, _start(out[m]), ldc)
            for m in range(len(out))
        ]

    def is_of(self, A: Array, B: Array, out: Array) -> bool:
        return self._out() is out and self._A() is A and self._B() is B

    def __call__(self, alpha: Factor, beta: Factor) -> None:
        for m, call in enumerate(self._calls):
            self._alpha.value = alpha if isinstance(alpha, float) else alpha[m]
            self._beta.value = beta if isinstance(beta, float) else beta[m]
            self._gemm(*call)


def _check(A: Array, B: Array, out: Array, transpose_a: bool, transpose_b: bool) -> None:
    """Raise ValueError for arrays that C code would read or write beyond their ends, or with a wrong type."""
    rows, inner = A.shape[:0:-1] if transpose_a else A.shape[1:]
    inner_b, columns = B.shape[:0:-1] if transpose_b else B.shape[1:]
    fit = len(A) == len(B) == len(out) and inner == inner_b and out.shape[1:] == (rows, columns)
    safe = A.dtype == B.dtype == out.dtype and out.flags.writeable and all(map(_lies_in_rows, (A, B, out)))
    if not (fit and safe):
        given = ", ".join(f"{X.dtype} {X.shape} with strides {X.strides}" for X in (A, B, out))
        raise ValueError(
            f"a product needs matrices in rows, of one type, that fit, and an out to write to; got {given}"
        )


def _lies_in_rows(matrices: Array) -> bool:
    _, rows, columns = matrices.shape
    _, apart, step = matrices.strides
    return (columns == 1 or step == matrices.itemsize) and (rows == 1 or apart >= columns * matrices.itemsize)


def _leading(matrices: Array) -> int:
    """Return the distance of the rows in elements, BLAS's "leading dimension"."""
    _, rows, columns = map(int, matrices.shape)
    apart = int(matrices.strides[1]) // int(matrices.itemsize)
    return max(1, columns, apart if rows > 1 else 1)


def _start(matrix: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(matrix.ctypes.data)


class NumpyEngine:
    """`Engine` on the CPU: arrays of NumPy, products by BLAS, no compiled code.

    Args:
        dtype: float32 or float64.
    """

    xp = np

    def __init__(self, dtype: npt.DTypeLike = np.float32) -> None:
        self.dtype = np.dtype(dtype)
        self._gemm, self._threads = load_blas().gemm[self.dtype.name], load_blas().threads
        self._products: dict[tuple[int, int, int, bool, bool], _Product] = {}

    def __reduce__(self) -> tuple[type[NumpyEngine], tuple[Any, ...]]:
        return NumpyEngine, (self.dtype,)  # BLAS routines cannot be pickled: look them up again

    def identity(self) -> str:
        """Return the processor that the kernels of BLAS were written for, or the library's version where unknown."""
        blas = load_blas()
        return blas.kernel or blas.version

    # ---- arrays ----------------------------------------------------------------------------------------------------

    def empty(self, *shape: int) -> Array:
        return np.empty(shape, self.dtype)

    def zeros(self, *shape: int) -> Array:
        return np.zeros(shape, self.dtype)

    def row_stride(self, columns: int) -> int:
        """Return the distance of a matrix's rows in elements: a cache line more where the rows would collide.

        Rows at multiples of 2 KiB fall into few of the cache's sets. 784-1024-1024, batch 100, one core of an AMD Zen
        4: 96 GFLOP/s with weights and activations laid apart, 85 without; widths of 256 and 768 gain nothing.
        """
        collide = columns * self.dtype.itemsize % 2048 == 0
        return columns + 64 // self.dtype.itemsize if collide else columns

    def matrices(self, members: int, rows: int, columns: int) -> Array:
        return self.empty(members, rows, self.row_stride(columns))[..., :columns]

    def asarray(self, values: npt.ArrayLike) -> Array:
        return np.ascontiguousarray(values, self.dtype)

    def to_numpy(self, array: Array) -> Array:
        """Return `array` itself."""
        return array

    def copy(self, array: Array) -> Array:
        return array.copy()

    def gather(self, source: Any, rows: Array, out: Array, scale: float = 1.0) -> None:
        """Write ``scale · source[rows]`` into `out`; source (N, K) of any number type, rows (M, B), out (M, B, K).

        Images stay uint8 until here: a quarter of the memory, and a quarter of the traffic. Rows of a sparse matrix (of
        SciPy, by rows) become dense here.
        """
        if hasattr(source, "toarray"):
            for own, dense in zip(rows, out, strict=True):
                dense[...] = source[own].toarray()
            if scale != 1.0:
                out *= scale
        elif source.dtype == out.dtype:
            # mode="clip" writes straight into `out`; the default would go through a buffer. Rows are always valid.
            source.take(rows, axis=0, out=out, mode="clip")
            if scale != 1.0:
                out *= scale
        else:
            np.multiply(source[rows], out.dtype.type(scale), out=out, casting="same_kind")

    # ---- computing -------------------------------------------------------------------------------------------------

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
        """Compute ``out ← alpha·op(A)·op(B) + beta·out`` for each member, in place, by BLAS.

        Raises:
            ValueError: for arrays of another dtype, or that do not fit, or that C code would read beyond their ends.
        """
        key = (id(A), id(B), id(out), transpose_a, transpose_b)
        product = self._products.get(key)
        if product is None or not product.is_of(A, B, out):
            if out.dtype != self.dtype:
                raise ValueError(f"this engine computes in {self.dtype}; got {out.dtype}")
            if len(self._products) >= PRODUCTS_KEPT:
                self._products.clear()
            product = self._products[key] = _Product(self._gemm, A, B, out, transpose_a, transpose_b)
        product(alpha, beta)

    def for_each(self, work: Callable[[Any], None], items: Sequence[Any]) -> None:
        """Call `work` once with every item, on as many threads as the products use where there are many items.

        NumPy lets other threads run meanwhile, and no value depends on the thread that computes it.
        """
        threads = min(self._threads(), len(items) // 4)
        if threads < 2:
            for item in items:
                work(item)
            return

        def run(first: int) -> None:
            for item in items[first::threads]:
                work(item)

        # the context brings `quiet` along; threads start in 50 µs each, so none are kept for the next time
        with ThreadPoolExecutor(threads) as pool:
            others = [pool.submit(copy_context().run, run, first) for first in range(1, threads)]
            run(0)
        for other in others:
            other.result()

    def quiet(self) -> np.errstate:
        """Return a context in which overflow gives infinity without a warning: the trainer checks the loss instead."""
        return np.errstate(over="ignore", invalid="ignore")

    # ---- random numbers --------------------------------------------------------------------------------------------

    def random_mask(self, generators: Sequence[np.random.Generator], threshold: int, out: Array) -> None:
        # 16 bits a number: 0.1 ms for 100 rows of 1,024, where floats take 0.3
        for mask, rng in zip(out, generators, strict=True):
            np.greater_equal(rng.integers(0, 65_536, mask.shape, np.uint16), threshold, out=mask, casting="unsafe")

    def standard_normal(self, generator: np.random.Generator, *shape: int) -> Array:
        dtype: Any = self.dtype
        return generator.standard_normal(shape, dtype)

    # ---- compiled code ---------------------------------------------------------------------------------------------

    def compile(self, network: object, loss: object, optimizer: object = None, **parts: object) -> None:
        """Return None: NumPy's functions are called one by one."""
