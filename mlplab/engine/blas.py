"""The BLAS library behind every matrix product, called through its C pointers.

One library for all products: NumPy and SciPy each bring an OpenBLAS with threads of its own, and a loop that alternates
between two of them took 16 ms a step instead of 3 (784-1024-1024-10, batch 100, 2 cores). Ours comes from the package
``scipy-openblas32``, which follows OpenBLAS's releases more closely than SciPy does (85 instead of 74 GFLOP/s a core in
the same step on AMD Zen 4); where there is none for a platform, SciPy's serves.

Called through pointers because the wrappers of SciPy copy matrices whose rows lie apart, and hold the interpreter's
lock. docs/decisions/0006-blas.md has the figures.
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
        version: what it says of itself.
        kernel: the processor its routines were written for, as OpenBLAS names it; "" where unknown.
        mended: whether it had chosen another kernel than this processor deserves, and was told.
        threads: tells how many threads a product uses, at the most.
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
    except (OSError, AttributeError):  # there is none, it does not load, or its routines have other names
        return load_scipy()


def load_openblas() -> Blas:
    """Load the library of the package scipy-openblas32, with the kernels that this processor deserves.

    OpenBLAS chooses its kernels as it is loaded and may not know a processor that is newer than itself: then it runs
    AVX2 kernels where AVX-512 ones are twice as fast. It is loaded a second time and told. The variable that tells it
    is set for that moment only, so nothing else in this process is changed; one that the user has set is respected. A
    library that somebody else holds in this process cannot be told any more.

    Raises:
        OSError: there is no such package, or its library does not load.
        AttributeError: it has not the routines that this release had.
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
    """Return the library that SciPy brings, whichever it is, by the pointers that SciPy publishes for Cython."""
    import scipy
    from scipy.linalg import cython_blas

    pointer, name_of = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsules: Mapping[str, Any] = cython_blas.__pyx_capi__
    routines = {dtype: _FORTRAN(pointer(capsules[name], name_of(capsules[name]))) for dtype, name in _NAMES.items()}
    return Blas("scipy", f"SciPy {scipy.__version__}", "", False, _scipy_threads, routines)


def kernel_to_ask_for(chosen: str, cpu: Cpu, asked: str | None) -> str | None:
    """Return the kernel that OpenBLAS must be told to use, or None where it has chosen well or the user has `asked`."""
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
