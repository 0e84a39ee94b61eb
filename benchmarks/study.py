"""The five experiments of the exercise with few epochs: the command beside the notebook's algorithm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import psutil

from benchmarks.cases import DEEP, forward_flop, training_flop
from benchmarks.child import Child
from benchmarks.contenders import notebook
from benchmarks.measure import report
from benchmarks.results import Study

_SUITE, _EPOCHS = "exercise6", 2


def measure_study(threads: int, folder: Path, samples: int | None = None) -> Study:
    """Run both, one after the other; `samples` cuts the rows."""
    report(f"{_SUITE} with {_EPOCHS} epochs: mlplab")
    seconds, peak = _run_command(folder / "run", samples)
    report(f"{_SUITE} with {_EPOCHS} epochs: notebook")
    with Child(threads) as child:
        trials, train_rows, validation_rows, notebook_seconds = child.call(run_notebook, samples)
    results = [
        json.loads(file.read_text(encoding="utf-8")) for file in (folder / "run" / "trials").glob("*/trial.json")
    ]
    largest = [result for result in results if _sizes(result) == DEEP]
    return Study(
        epochs=_EPOCHS,
        trials=trials,
        networks=len(results),
        seconds=round(seconds, 2),
        notebook_seconds=round(notebook_seconds, 2),
        peak_mb=round(peak / 1e6, 1),
        core_gflops=_rate(results, train_rows, validation_rows),
        flagship_gflops=_rate(largest, train_rows, validation_rows),
    )


def _run_command(out: Path, samples: int | None) -> tuple[float, float]:
    """Return the seconds of ``mlplab run`` and the peak of its and its workers' memory in bytes."""
    command = [sys.executable, "-m", "mlplab", "run", _SUITE, "--set", f"max_iter={_EPOCHS}", "--out", str(out)]
    if samples is not None:
        command += ["--samples", str(samples)]
    peak, started = 0, perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, _memory(process))
        sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"mlplab run ended with exit status {process.returncode}")
    return perf_counter() - started, peak


def _memory(process: psutil.Popen) -> int:
    """Return the resident memory of a process and its children; what they share is counted in each."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:  # it ended meanwhile
            continue
    return total


def run_notebook(samples: int | None) -> tuple[int, int, int, float]:
    """Train all trials of the suite one after another, as the notebook does.

    Returns: how many trials, training rows, validation rows, and the seconds of training and validation.
    """
    from mlplab import load_suite
    from mlplab.data import split_rows

    suite = load_suite(_SUITE)
    dataset = suite.source.load()
    split = split_rows(dataset, suite.split, 0, samples)
    X, y = dataset.X * dataset.scale, dataset.y.astype(np.int64)
    train, validation = ((X[rows], y[rows]) for rows in (split.train, split.validation))
    trials = [trial for _, trial in suite.cells()]
    started = perf_counter()
    for trial in trials:
        sizes = (X.shape[1], *trial["hidden_layer_sizes"], 10)
        rule = notebook.Sgd(trial["learning_rate_init"], trial["weight_decay"])
        network = notebook.Network(notebook.draw_weights(sizes, np.random.default_rng(0)), rule)
        for _ in range(_EPOCHS):
            network.epoch(notebook.batches_of(*train, trial["batch_size"]))
            network.epoch(notebook.batches_of(*validation, trial["batch_size"]), learn=False)
    return len(trials), len(train[1]), len(validation[1]), perf_counter() - started


def _rate(results: Sequence[dict[str, Any]], train_rows: int, validation_rows: int) -> float:
    """Return the GFLOP/s of a worker in the epochs of these trials, by the seconds that each trial reports."""
    flop = sum(
        result["epochs"] * (training_flop(_sizes(result), train_rows) + forward_flop(_sizes(result), validation_rows))
        for result in results
    )
    return round(flop / sum(result["seconds"] for result in results) / 1e9, 2)


def _sizes(result: dict[str, Any]) -> tuple[int, ...]:
    return (DEEP[0], *result["settings"]["hidden_layer_sizes"], DEEP[-1])
