"""The rounds: every contender in turn, one at a time, so that whatever slows the machine down slows them all."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from benchmarks import work
from benchmarks.cases import FLAGSHIP, PREDICTED, STEP_CASES, Case, network_name
from benchmarks.child import Child, ChildError
from benchmarks.contenders import CONTENDERS, NOTEBOOK, OURS, PYTORCH, Contender
from benchmarks.results import OneCore, Predictions, Samples, Steps

#: Seconds before each measurement: OpenBLAS's idle threads spin for 0.10 s (AMD Zen 4) before they sleep.
_PAUSE = 0.15


class Field:
    """The contenders that take part, each in a process of its own with all cores."""

    def __init__(self, threads: int, folder: Path) -> None:
        self.threads, self.folder = threads, folder
        self.left_out: dict[str, str] = {}
        self.libraries: dict[str, list[dict[str, Any]]] = {}
        self.children: dict[Contender, Child] = {}

    @contextmanager
    def started(self) -> Iterator[Field]:
        """Start the processes and let each rehearse; who cannot is left out, with the reason."""
        with ExitStack() as stack:
            for contender in CONTENDERS:
                report(f"starting {contender.name}")
                reason = contender.missing()
                if reason is None:
                    child = stack.enter_context(Child(self.threads))
                    try:
                        self.libraries[contender.name] = child.call(work.rehearse, contender, self.folder)
                        self.children[contender] = child
                    except ChildError as error:
                        reason = re.sub(r"/\S*/", "", str(error))  # where things lie on this machine is no result
                if reason is not None:
                    self.left_out[contender.name] = reason
            yield self

    def able_to(self, task: str) -> dict[Contender, Child]:
        """Return the contenders that have a task."""
        return {contender: child for contender, child in self.children.items() if task in contender.tasks}


def measure_steps(field: Field, rounds: int) -> list[Steps]:
    """Time a step of every case."""
    return [_steps(field, case, rounds) for case in STEP_CASES]


def _steps(field: Field, case: Case, rounds: int) -> Steps:
    report(case.name)
    milliseconds: Samples = {}
    gemm: Samples = {}
    for _ in range(rounds):
        _ask_each(field.able_to("train"), milliseconds, work.train, case, field.folder)
        _ask_each(field.able_to("multiply"), gemm, work.multiply)
    return Steps(case, milliseconds, gemm)


def measure_predictions(field: Field, rounds: int) -> list[Predictions]:
    """Count the images a second that each contender predicts."""
    found = [Predictions(sizes, {}) for sizes in PREDICTED]
    for predictions in found:
        report(f"{network_name(predictions.sizes)}, prediction")
        for _ in range(rounds):
            _ask_each(field.able_to("predict"), predictions.images, work.predict, predictions.sizes, field.folder)
    return found


def measure_one_core(folder: Path, rounds: int) -> OneCore:
    """Time mlplab with one thread in one process and in two at once, beside the best products of one thread."""
    report(f"{FLAGSHIP.name}, one core")
    result = OneCore(FLAGSHIP, {}, [], [])
    with ExitStack() as stack:
        # those whose libraries keep to the number of threads that they are told
        contenders = [c for c in (OURS, NOTEBOOK, PYTORCH) if c.missing() is None]
        single = {contender: stack.enter_context(Child(threads=1)) for contender in contenders}
        pair = single[OURS], stack.enter_context(Child(threads=1))
        for child in pair:  # imports and data are there before both begin at once
            child.call(work.train, OURS, FLAGSHIP, folder)
        for _ in range(rounds):
            _ask_each(single, result.gemm, work.multiply)
            sleep(_PAUSE)
            result.alone.append(_rounded(pair[0].call(work.train, OURS, FLAGSHIP, folder)))
            sleep(_PAUSE)
            for child in pair:
                child.send(work.train, OURS, FLAGSHIP, folder)
            result.pair.append((_rounded(pair[0].receive()), _rounded(pair[1].receive())))
    return result


def measure_memory(field: Field) -> dict[str, float]:
    """Return the peak memory in MB of a fresh process that trains a little, by contender."""
    report("memory")
    peaks = {}
    for contender in field.able_to("train"):
        with Child(field.threads) as child:
            child.call(work.train, contender, FLAGSHIP, field.folder)
            peaks[contender.name] = round(child.call(work.peak_memory), 1)
    return peaks


def measure_help(repeats: int) -> list[float]:
    """Return the wall-clock seconds of ``mlplab --help``, after one call that fills the file cache."""
    report("mlplab --help")
    seconds = []
    for _ in range(1 + repeats):
        started = perf_counter()
        subprocess.run([sys.executable, "-m", "mlplab", "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(_rounded(perf_counter() - started))
    return seconds[1:]


def report(text: str) -> None:
    """Say on standard error what is being measured."""
    print(text, file=sys.stderr, flush=True)


def _ask_each(children: Mapping[Contender, Child], samples: Samples, do: Any, *arguments: Any) -> None:
    """Let each contender do it in turn, and append its value to its samples."""
    turn = list(children.items())
    first = len(next(iter(samples.values()), ())) % len(turn)  # nobody always comes first, or after the same neighbour
    for contender, child in turn[first:] + turn[:first]:
        sleep(_PAUSE)
        samples.setdefault(contender.name, []).append(_rounded(child.call(do, contender, *arguments)))


def _rounded(value: float) -> float:
    """Cut what no clock can tell."""
    return float(f"{value:.5g}")
