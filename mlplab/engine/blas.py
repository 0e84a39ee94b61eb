"""The BLAS library behind every matrix product, called through its C pointers.

All products use one library: NumPy and SciPy each bring an OpenBLAS with its own threads, and a loop that alternates
between two of them took 16 ms a step instead of 3 (784-1024-1024-10, batch 100, 2 cores). The library comes from the
package ``scipy-openblas32``, which follows OpenBLAS's releases more closely than SciPy does (85 instead of 74 GFLOP/s a
core in the same step on AMD Zen 4). On platforms without that package, SciPy's library is used.

The routines are called through pointers because SciPy's wrappers copy matrices whose rows are not adjacent, and hold
the interpreter's lock. docs/decisions/0006-blas.md has the figures.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlplab.engine.cpu import Cpu, read_cpu

#: What OpenBLAS calls its kernels for x86 processors of the AVX2 generation.
AVX2_KERNELS = frozenset({"Haswell", "Zen", "Excavator"})

_NAMES = {"float32": "sgemm", "float64": "dgemm"}
_FORTRAN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)  # every argument of a Fortran routine is a pointer


@dataclass(frozen=True)
class Blas:
    """A library of matrix products.

    Attributes:
        source: the Python package it comes from.
        version: its name and version, as the library reports them.
        kernel: the processor its routines were written for, as OpenBLAS names it; "" where unknown.
        mended: whether it had chosen a kernel that is slow on this processor, and was loaded again with a faster one.
        threads: returns the largest number of threads that a product uses.
        gemm: the routine by dtype name, with the arguments of the Fortran standard.
    """

    source: str
    version: str
    kernel: str
    mended: bool
    threads: Callable[[], int]
    gemm: Mapping[str, Callable[..., None]]


@cache
def load_blas() -> Blas:
    """Return the library that computes every product of this process, loaded at the first call."""
    try:
        return load_openblas()
    except (OSError, AttributeError):  # it is not installed, does not load, or its routines have other names
        return load_scipy()


def load_openblas() -> Blas:
    """Load the library of the package scipy-openblas32, with the fastest kernels for this processor.

    OpenBLAS chooses its kernels while it is loaded. On a processor newer than itself it may choose AVX2 kernels where
    AVX-512 kernels are twice as fast. The library is then loaded a second time with an environment variable that names
    the kernel. The variable is set only during the loading, so nothing else in this process changes, and a value that
    the user has set is respected. A library that other code of this process has loaded too keeps its kernels.

    Raises:
        OSError: the package is not installed, or its library does not load.
        AttributeError: the library lacks a routine that is used here.
    """
    path = _find_openblas()
    library = ctypes.CDLL(path)
    chosen = _kernel(library)
    wanted = kernel_to_ask_for(chosen, read_cpu(), os.environ.get("OPENBLAS_CORETYPE"))
    if wanted:
        library = _load_again(library, path, wanted)
    library.scipy_openblas_get_config.restype = ctypes.c_char_p
    words = library.scipy_openblas_get_config().decode().split()
    return Blas(
        "scipy-openblas32",
        " ".join(words[:2]),
        _kernel(library),
        _kernel(library) != chosen,
        library.scipy_openblas_get_num_threads,
        {dtype: _FORTRAN((f"scipy_{name}_", library)) for dtype, name in _NAMES.items()},
    )


def load_scipy() -> Blas:
    """Return the library that SciPy brings, by the pointers that SciPy publishes for Cython."""
    import scipy
    from scipy.linalg import cython_blas

    pointer, name_of = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsules: Mapping[str, Any] = cython_blas.__pyx_capi__
    routines = {dtype: _FORTRAN(pointer(capsules[name], name_of(capsules[name]))) for dtype, name in _NAMES.items()}
    return Blas("scipy", f"SciPy {scipy.__version__}", "", False, _scipy_threads, routines)


def kernel_to_ask_for(chosen: str, cpu: Cpu, asked: str | None) -> str | None:
    """Return the kernel to request of OpenBLAS; None where its own choice is good or the user has `asked` for one."""
    return "SkylakeX" if chosen in AVX2_KERNELS and cpu.has_avx512 and not asked else None


def _find_openblas() -> str:
    package = find_spec("scipy_openblas32")  # not imported: that would load the library, and keep it
    for folder in (package and package.submodule_search_locations) or []:
        for file in sorted(Path(folder, "lib").glob("libscipy_openblas*")):
            if file.suffix in (".so", ".dylib", ".dll"):
                return str(file)
    raise OSError("scipy-openblas32 is not installed")


def _kernel(library: ctypes.CDLL) -> str:
    library.scipy_openblas_get_corename.restype = ctypes.c_char_p
    name: str = library.scipy_openblas_get_corename().decode()
    return name


def _scipy_threads() -> int:
    from threadpoolctl import threadpool_info

    return min((pool["num_threads"] for pool in threadpool_info() if "scipy" in pool["filepath"]), default=1)


def _load_again(library: ctypes.CDLL, path: str, kernel: str) -> ctypes.CDLL:
    import _ctypes

    _ctypes.dlclose(library._handle)
    before = os.environ.get("OPENBLAS_CORETYPE")
    os.environ["OPENBLAS_CORETYPE"] = kernel
    try:
        return ctypes.CDLL(path)
    finally:
        if before is None:
            del os.environ["OPENBLAS_CORETYPE"]
        else:
            os.environ["OPENBLAS_CORETYPE"] = before
