"""Report what this machine can do, with which libraries, and what limits it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from mlplab.engine.blas import AVX2_KERNELS, Blas, load_blas
from mlplab.engine.cpu import Cpu, read_cpu, usable_cores
from mlplab.engine.numpy_engine import NumpyEngine

#: Rows, inputs and outputs of two products: a large one, which reaches the peak speed, and one of a training batch.
SQUARE, TRAINING = (2000, 2000, 2000), (100, 1024, 1024)


@dataclass(frozen=True)
class Rates:
    """Measured speeds of float32 matrix products, in GFLOP/s.

    Attributes:
        one_thread: the speed of the large product on one thread.
        all_threads: the speed of the large product on all threads.
        training: the speed for a batch of 100 rows and 1,024 × 1,024 weights on one thread.
    """

    one_thread: float
    all_threads: float
    training: float


@dataclass(frozen=True)
class Pool:
    """A numerical library in this process: its name, its kernel ("" if unknown) and its number of threads."""

    name: str
    kernel: str
    threads: int


@dataclass(frozen=True)
class Examination:
    """Result of `examine`.

    Attributes:
        cpu: the processor.
        cores: number of cores that this process may use.
        load: average number of runnable programs in the last minute; NaN if the system does not report it.
        blas: the library for mlplab's matrix products.
        threads: number of threads that it uses.
        others: other numerical libraries in this process, which mlplab's products do not use.
        rates: measured speeds.
        advice: one sentence for each problem; empty if there is none.
    """

    cpu: Cpu
    cores: int
    load: float
    blas: Blas
    threads: int
    others: tuple[Pool, ...]
    rates: Rates
    advice: tuple[str, ...]


def examine() -> Examination:
    """Examine the processor and the libraries, measure for two seconds and return the results with advice."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")  # before the measurement adds to it
    cpu, cores, blas = read_cpu(), usable_cores(), load_blas()
    threads, rates = blas.threads(), measure_rates()
    asked = os.environ.get("OPENBLAS_CORETYPE")
    advice = advise(cpu, cores, load, blas, threads, rates, asked)
    return Examination(cpu, cores, load, blas, threads, _others(blas), rates, advice)


def advise(
    cpu: Cpu, cores: int, load: float, blas: Blas, threads: int, rates: Rates, asked: str | None
) -> tuple[str, ...]:
    """Return advice for faster training; `asked` is the value of OPENBLAS_CORETYPE, or None."""
    found = []
    if blas.source != "scipy-openblas32":
        found.append("mlplab uses SciPy's older BLAS; install a newer one with `pip install scipy-openblas32`.")
    if blas.kernel in AVX2_KERNELS and cpu.has_avx512:
        remedy = (
            f"unset OPENBLAS_CORETYPE={asked}, which selects it"
            if asked
            else "set OPENBLAS_CORETYPE=SkylakeX before Python starts, or upgrade scipy-openblas32"
        )
        found.append(f"This processor has AVX-512, but the {blas.kernel} kernel does not use it; {remedy}.")
    if threads < cores:
        found.append(
            f"Matrix products use {threads} of {cores} cores. To train a single network faster, unset "
            "OPENBLAS_NUM_THREADS and OMP_NUM_THREADS; the workers of a suite use all cores anyway."
        )
    if load > 0.3 * cores:
        found.append(
            f"Other programs kept {load:.1f} of {cores} cores busy in the last minute; the measured speeds may be too "
            "low."
        )
    elif threads > 1 and rates.all_threads < 0.7 * threads * rates.one_thread:
        found.append(
            f"{threads} threads are only {rates.all_threads / rates.one_thread:.1f} times as fast as one. The cores "
            "may be hyper-threads, or shared with other virtual machines."
        )
    if rates.training < 0.6 * rates.one_thread:
        found.append(
            f"Training reaches {rates.training / rates.one_thread:.0%} of the peak speed, because the weights do not "
            "fit into the cache or other programs use it. Larger batches or narrower layers read less memory for the "
            "same number of operations."
        )
    return tuple(found)


def measure_rates() -> Rates:
    """Measure the speeds of this machine; each is the best of several repetitions."""
    load_blas()  # the limit applies only to libraries that are already loaded
    with threadpool_limits(1, user_api="blas"):
        one, training = measure_rate(*SQUARE), measure_rate(*TRAINING)
    return Rates(one, measure_rate(*SQUARE), training)


def measure_rate(rows: int, inputs: int, outputs: int, seconds: float = 0.6) -> float:
    """Measure the best speed, in GFLOP/s, of float32 products of this size, repeated for `seconds`."""
    engine, rng = NumpyEngine(), np.random.default_rng(0)
    A, B, out = (engine.matrices(1, *shape) for shape in ((rows, inputs), (inputs, outputs), (rows, outputs)))
    A[...], B[...] = rng.random(A.shape), rng.random(B.shape)
    best, begin = float("inf"), perf_counter()
    while perf_counter() - begin < seconds or best == float("inf"):
        started = perf_counter()
        engine.matmul(A, B, out=out)
        best = min(best, perf_counter() - started)
    return 2e-9 * rows * inputs * outputs / best


def _others(blas: Blas) -> tuple[Pool, ...]:
    return tuple(
        Pool(
            f"{pool['internal_api']} {pool['version'] or ''}".strip() + f" ({Path(pool['filepath']).parent.name})",
            pool.get("architecture") or "",
            pool["num_threads"],
        )
        for pool in threadpool_info()
        if not {blas.source.replace("-", "_"), f"{blas.source}.libs"} & set(Path(pool["filepath"]).parts)
    )
