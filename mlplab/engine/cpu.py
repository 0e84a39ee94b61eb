"""The processor: its name, its instruction sets, the cores that may be used."""

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
        flags: its instruction sets as Linux calls them; empty on systems that do not report them.
    """

    model: str
    flags: frozenset[str]

    @property
    def has_avx512(self) -> bool:
        """Whether the processor and the system support all parts of AVX-512 that BLAS kernels use."""
        return self.flags >= AVX512


def read_cpu(source: Path = Path("/proc/cpuinfo")) -> Cpu:
    """Return this machine's processor: name and instruction sets on Linux, the name only on other systems."""
    try:
        text = source.read_text(encoding="utf-8")
    except OSError:
        return Cpu(platform.processor() or platform.machine(), frozenset())
    pairs = [line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line]
    first = {name.strip(): value.strip() for name, value in pairs}
    return Cpu(first.get("model name", platform.machine()), frozenset(first.get("flags", "").split()))


def usable_cores() -> int:
    """Return the number of cores that this process may use, which may be smaller than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
