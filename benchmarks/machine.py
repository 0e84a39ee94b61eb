"""What a benchmark ran on, described without anything that points into this machine's file system."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mlplab.engine.blas import load_blas
from mlplab.engine.cpu import read_cpu, usable_cores

_PACKAGES = (
    "mlplab",
    "numpy",
    "scipy",
    "scipy-openblas32",
    "scikit-learn",
    "torch",
    "jax",
    "jaxlib",
    "onnx",
    "onnxruntime",
)


def describe() -> dict[str, Any]:
    """Return the machine, the system and the versions as plain data. Loads mlplab's BLAS library."""
    cpu, blas = read_cpu(), load_blas()
    return {
        "cpu": cpu.model + _family(),
        "vector_flags": sorted(flag for flag in cpu.flags if flag.startswith(("avx", "amx", "asimd", "sve"))),
        "cores": usable_cores(),
        "load": round(os.getloadavg()[0], 2),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": {"source": blas.source, "version": blas.version, "kernel": blas.kernel, "mended": blas.mended},
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def slug(cpu: str) -> str:
    """Return a processor's name as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", cpu.lower()).strip("-")


def _family(source: Path = Path("/proc/cpuinfo")) -> str:
    """Return x86's numbers of the processor's kind: virtual machines call very different ones "AMD EPYC"."""
    if not source.is_file():
        return ""
    numbers = dict(re.findall(r"^(cpu family|model)\s*:\s*(\d+)$", source.read_text(encoding="utf-8"), re.MULTILINE))
    return f" (family {numbers['cpu family']}, model {numbers['model']})" if len(numbers) == 2 else ""


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
