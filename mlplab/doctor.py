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

#: Rows, inputs, outputs: the largest product, where a library shows its best, and the one that training consists of.
SQUARE, TRAINING = (2000, 2000, 2000), (100, 1024, 1024)


@dataclass(frozen=True)
class Rates:
    """Measured speeds of float32 matrix products, in GFLOP/s.

    Attributes:
        one_thread: of the largest product, on one thread.
        all_threads: the same on all threads.
        training: of a batch of 100 rows through 1,024 × 1,024 weights, on one thread.
    """

    one_thread: float
    all_threads: float
    training: float


@dataclass(frozen=True)
class Pool:
    """A numerical library in this process: what it is, its kernels ("" where it has one kind), its threads."""

    name: str
    kernel: str
    threads: int


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        cpu: the processor. cores: how many of them this process may use.
        load: programs that wanted a core in the last minute, on average; NaN where the system does not tell.
        blas: what computes mlplab's products. threads: how many it uses.
        others: the other numerical libraries in this process, none of which mlplab's products use.
        rates: measured just now.
        advice: a sentence for everything that could be better; empty when all is well.
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
    """Look at the processor and the libraries, measure for two seconds and say what would be better."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")  # before the measuring adds to it
    cpu, cores, blas = read_cpu(), usable_cores(), load_blas()
    threads, rates = blas.threads(), measure_rates()
    asked = os.environ.get("OPENBLAS_CORETYPE")
    advice = advise(cpu, cores, load, blas, threads, rates, asked)
    return Examination(cpu, cores, load, blas, threads, _others(blas), rates, advice)


def advise(
    cpu: Cpu, cores: int, load: float, blas: Blas, threads: int, rates: Rates, asked: str | None
) -> tuple[str, ...]:
    """Return what would make training faster; `asked` is the kernel that OPENBLAS_CORETYPE names."""
    found = []
    if blas.source != "scipy-openblas32":
        found.append("SciPy's BLAS is used, which is older: `pip install scipy-openblas32` brings a newer one.")
    if blas.kernel in AVX2_KERNELS and cpu.has_avx512:
        by = (
            f"OPENBLAS_CORETYPE={asked} asks for it: unset it"
            if asked
            else "set OPENBLAS_CORETYPE=SkylakeX before Python starts, or upgrade scipy-openblas32"
        )
        found.append(f"This processor has AVX-512, but the {blas.kernel} kernel does not use it; {by}.")
    if threads < cores:
        found.append(
            f"Products use {threads} of {cores} cores. A suite's workers fill them all the same; for a single network "
            "unset OPENBLAS_NUM_THREADS and OMP_NUM_THREADS."
        )
    if load > 0.3 * cores:
        found.append(
            f"In the last minute programs kept {load:.1f} of {cores} cores busy: what was measured here may be too low."
        )
    elif threads > 1 and rates.all_threads < 0.7 * threads * rates.one_thread:
        found.append(
            f"{threads} threads are {rates.all_threads / rates.one_thread:.1f} times as fast as one: the cores share "
            "something, with each other (hyper-threads) or with other guests of a virtual machine."
        )
    if rates.training < 0.6 * rates.one_thread:
        found.append(
            f"Training reaches {rates.training / rates.one_thread:.0%} of the best product: the weights do not fit the "
            "cache, or others use it. Larger batches or narrower layers compute more for what they read."
        )
    return tuple(found)


def measure_rates() -> Rates:
    """Return this machine's rates now: the best of several tries, for anything that disturbs makes them slower."""
    load_blas()  # the limit holds for libraries that are there
    with threadpool_limits(1, user_api="blas"):
        one, training = measure_rate(*SQUARE), measure_rate(*TRAINING)
    return Rates(one, measure_rate(*SQUARE), training)


def measure_rate(rows: int, inputs: int, outputs: int, seconds: float = 0.6) -> float:
    """Return the best GFLOP/s of float32 products of that size, tried for some seconds."""
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
