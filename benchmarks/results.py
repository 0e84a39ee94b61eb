"""What a run of the benchmarks found: plain data, and its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case

#: By contender: a value for every round.
Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Steps:
    """A case: milliseconds of a step, and GFLOP/s of each library's matrix products in the same rounds."""

    case: Case
    milliseconds: Samples
    gemm: Samples


@dataclass(frozen=True)
class OneCore:
    """mlplab with one thread a process, as the lab's workers run.

    Attributes:
        gemm: GFLOP/s of each library with one thread.
        alone: milliseconds of a step in one process.
        pair: the same in two processes at once, for each of them.
    """

    case: Case
    gemm: Samples
    alone: list[float]
    pair: list[tuple[float, float]]


@dataclass(frozen=True)
class Predictions:
    """Images a second of one network."""

    sizes: tuple[int, ...]
    images: Samples


@dataclass(frozen=True)
class Study:
    """The five experiments with few epochs.

    Attributes:
        epochs: of every trial. trials: how many; networks: how many of them differ, and were trained by mlplab.
        seconds: of `mlplab run`, from the start of the command to its end, figures and conclusion included.
        notebook_seconds: of the notebook's algorithm, training and validation only.
        peak_mb: the resident memory of the command and its workers, summed, at its highest.
        core_gflops: what a worker reached on average in its epochs, validation included, over all networks;
            flagship_gflops: with the largest network.
    """

    epochs: int
    trials: int
    networks: int
    seconds: float
    notebook_seconds: float
    peak_mb: float
    core_gflops: float
    flagship_gflops: float


@dataclass(frozen=True)
class Results:
    """Everything.

    Attributes:
        machine: what `machine.describe` says. libraries: those with thread pools, by contender.
        rounds: how often everything was measured. quick: whether that was cut.
        left_out: by contender that did not take part, why.
        help_seconds: wall-clock times of ``mlplab --help``.
        memory_mb: peak memory of a process that makes two epochs of the one-core case, by contender.
    """

    machine: dict[str, Any]
    libraries: dict[str, list[dict[str, Any]]]
    rounds: int
    quick: bool
    left_out: dict[str, str]
    steps: list[Steps]
    one_core: OneCore
    predictions: list[Predictions]
    help_seconds: list[float]
    memory_mb: dict[str, float]
    study: Study | None

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return what `write` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        content["steps"] = [Steps(**{**steps, "case": _case(steps["case"])}) for steps in content["steps"]]
        one_core = content["one_core"]
        pair = [tuple(two) for two in one_core["pair"]]
        content["one_core"] = OneCore(**{**one_core, "case": _case(one_core["case"]), "pair": pair})
        content["predictions"] = [Predictions(tuple(p["sizes"]), p["images"]) for p in content["predictions"]]
        content["study"] = content["study"] and Study(**content["study"])
        return cls(**content)


def _case(content: dict[str, Any]) -> Case:
    return Case(**{**content, "sizes": tuple(content["sizes"])})


def lowest_of_each_round(samples: Samples, names: Sequence[str]) -> list[float] | None:
    """Return the lowest value of the named contenders in every round, or None where none of them took part."""
    present = [samples[name] for name in names if name in samples]
    return [min(values) for values in zip(*present, strict=True)] if present else None


def best_rates(gemm: Samples) -> list[float]:
    """Return the best rate of any library in every round: what the machine can do."""
    return [max(rates) for rates in zip(*gemm.values(), strict=True)]


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the quotients round by round: what slows a whole round down cancels out."""
    return median(a / b for a, b in zip(over, under, strict=True))


def share(case: Case, milliseconds: Sequence[float], gemm: Samples) -> float:
    """Return the share of the machine's best rate that a step reached: the median over the rounds."""
    rates = zip(milliseconds, best_rates(gemm), strict=True)
    return median(case.flop / (ms * 1e6) / best for ms, best in rates)
