"""What the processor is and can do."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

#: What OpenBLAS's AVX-512 kernels are compiled for.
AVX512 = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})


@dataclass(frozen=True)
class Cpu:
    """A processor.

    Attributes:
        model: its name.
        flags: its instruction sets as Linux calls them; empty where the system does not tell.
    """

    model: str
    flags: frozenset[str]

    @property
    def has_avx512(self) -> bool:
        """Whether it, and the system it runs under, have all of AVX-512 that BLAS kernels use."""
        return self.flags >= AVX512


def read_cpu(source: Path = Path("/proc/cpuinfo")) -> Cpu:
    """Return this machine's processor as Linux describes it, and by its name alone elsewhere."""
    try:
        text = source.read_text(encoding="utf-8")
    except OSError:
        return Cpu(platform.processor() or platform.machine(), frozenset())
    pairs = [line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line]
    first = {name.strip(): value.strip() for name, value in pairs}
    return Cpu(first.get("model name", platform.machine()), frozenset(first.get("flags", "").split()))


def usable_cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
