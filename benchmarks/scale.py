"""How cost grows with width, depth, batch, rows and trials: ``python -m benchmarks.scale [--quick]``.

Leaves ``scale-CPU.json``, ``.md`` and ``.png`` in `benchmarks/results`; a quick run has ``-quick`` in its files' names.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.cases import DEEP, training_flop
from benchmarks.child import Child

_RESULTS = Path(__file__).parent / "results"
_FEATURES, _CLASSES = DEEP[0], DEEP[-1]

Table = list[dict[str, float]]


def measure(quick: bool, cores: int, folder: Path) -> dict[str, Table]:
    """Measure every series; each in a process of its own, so that none sees what another left behind."""
    widths = (64, 256, 512, 1024) if quick else (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    depths = (1, 4) if quick else (1, 2, 4, 8, 16)
    batches = (10, 100, 1000) if quick else (10, 30, 100, 300, 1000, 3000, 10_000)
    rows = (2_000, 8_000) if quick else (10_000, 40_000, 160_000)
    trials = (100, 200) if quick else (200, 2000)

    def ask(function: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
        print(function.__name__.strip("_"), *arguments[:2], file=sys.stderr, flush=True)
        with Child(cores) as child:
            return child.call(function, *arguments)

    return {
        "width": [{"width": w, **ask(_step, (w, w), 100)} for w in widths],
        "depth": [{"depth": d, **ask(_step, (512,) * d, 100)} for d in depths],
        "batch": [{"batch": b, **ask(_step, DEEP[1:-1], b)} for b in batches],
        "rows": [{"rows": n, **ask(_larger_than_memory, n, folder / f"X{n}.npy")} for n in rows],
        "trials": [{"trials": n, **ask(_tiny_trials, n, cores, folder / f"trials{n}")} for n in trials],
    }


def _step(hidden: tuple[int, ...], batch: int) -> dict[str, float]:
    """Return the milliseconds of an SGD step and its rate beside the best product's, both on all cores."""
    from mlplab import NeuralNetworkClassifier
    from mlplab.doctor import SQUARE, measure_rate

    sizes = (_FEATURES, *hidden, _CLASSES)
    flop = training_flop(sizes, batch)
    steps = max(2, min(500, int(2e10 / flop)))
    rng = np.random.default_rng(0)
    X = rng.random((steps * batch, _FEATURES), np.float32)
    y = np.arange(len(X)) % _CLASSES
    model = NeuralNetworkClassifier(
        hidden, "sigmoid", solver="sgd", momentum=0, alpha=0, batch_size=batch, max_iter=6, tol=None, random_state=0
    )
    best = measure_rate(*SQUARE)
    model.fit(X, y)
    seconds = median(model.history_["seconds"][1:]) / steps
    return {
        "ms": round(1e3 * seconds, 4),
        "gflops": round(flop / seconds / 1e9, 1),
        "share": round(flop / seconds / 1e9 / best, 3),
    }


def _larger_than_memory(rows: int, file: Path) -> dict[str, float]:
    """Return what an epoch over a mapped file costs: seconds, and the most memory that training added."""
    from mlplab import Callback, NeuralNetworkClassifier

    class Memory(Callback):
        def on_epoch_end(self, estimator: Any, epoch: Any) -> None:
            seen.append(_own_memory())

    X = np.lib.format.open_memmap(file, "w+", np.float32, (rows, _FEATURES))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 1000):
        X[start : start + 1000] = rng.random((min(1000, rows - start), _FEATURES), np.float32)
    X.flush()
    mapped, y = np.load(file, mmap_mode="r"), np.arange(rows) % _CLASSES
    model = NeuralNetworkClassifier((128,), solver="sgd", batch_size=100, max_iter=2, tol=None, callbacks=[Memory()])
    seen: list[int] = []
    model.fit(mapped[:1000], y[:1000])  # libraries and workspaces are there
    before = _own_memory()
    model.fit(mapped, y)
    return {
        "file_mb": round(file.stat().st_size / 1e6),
        "epoch_seconds": round(model.history_["seconds"][-1], 3),
        "added_mb": round((max(seen) - before) / 1e6, 1),
    }


def _own_memory() -> int:
    """Return the memory of this process that no file stands behind, in bytes; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"^RssAnon:\s*(\d+) kB", status.read_text(), re.MULTILINE) if status.is_file() else None
    return 1024 * int(found[1]) if found else 0


def _tiny_trials(count: int, jobs: int, folder: Path) -> dict[str, float]:
    """Return what a suite of tiny networks costs the lab: milliseconds a trial beyond training, and looking at it."""
    suite = folder.with_suffix(".toml")
    suite.write_text(
        f'name = "tiny"\ndataset = "digits"\nseeds = {count}\n'
        "[settings]\nmax_iter = 1\nhidden_layer_sizes = [4]\n"
        '[[experiment]]\nname = "one"\ntitle = "One"\n'
    )
    run = _seconds("run", str(suite), "--out", str(folder), "--samples", "200", "--jobs", str(jobs))
    files = list((folder / "trials").glob("*/trial.json"))
    training = sum(json.loads(file.read_text())["seconds"] for file in files)
    return {
        "run_seconds": round(run, 2),
        "training_seconds": round(training, 2),
        "lab_ms_per_trial": round(1e3 * (jobs * run - training) / len(files), 2),
        "status_seconds": round(_seconds("status", str(folder)), 2),
    }


def _seconds(*arguments: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-m", "mlplab", *arguments], check=True, capture_output=True)
    return perf_counter() - started


def draw(series: dict[str, Table], file: Path) -> None:
    """Draw every series: cost against size, both axes logarithmic."""
    from matplotlib.figure import Figure

    costs = {"width": "ms", "depth": "ms", "batch": "ms", "rows": "epoch_seconds", "trials": "run_seconds"}
    units = {"ms": "milliseconds a step", "epoch_seconds": "seconds an epoch", "run_seconds": "seconds a suite"}
    figure = Figure(figsize=(15, 3.4), layout="constrained")
    for axes, (name, cost) in zip(figure.subplots(1, len(costs)), costs.items(), strict=True):
        sizes = [row[name] for row in series[name]]
        axes.loglog(sizes, [row[cost] for row in series[name]], marker="o")
        axes.set(xlabel=name, ylabel=units[cost])
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=60)
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.tick_params(which="minor", labelbottom=False)
        axes.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(file, dpi=110)


def render(found: dict[str, Any], picture: str) -> str:
    """Return the page: the machine, the picture, a table for each series."""
    described = found["machine"]
    lines = [
        f"# How cost grows\n\n{described['cpu']}, {described['cores']} cores, {described['date']}.\n",
        "SGD in float32: two hidden layers of the width (batch 100); hidden layers of 512 (batch 100); "
        "784-1024-1024-10 by batch; epochs of 784-128-10 over a mapped .npy file; suites of networks of 4 units on 200 "
        "rows for one epoch. `share` is of the best matrix product in the same process; `added_mb` is the most memory "
        "that training added, the file's pages apart; `lab_ms_per_trial` is a core's time beyond training, with "
        "start-up, figures and conclusion.\n",
    ]
    lines.append(f"![Cost by width, depth, batch, rows and trials]({picture})")
    for name, rows in found["series"].items():
        header = list(rows[0])
        lines.append(f"\n## {name.capitalize()}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
        lines += ["| " + " | ".join(f"{row[key]:,}" for key in header) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write the three files, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="How cost grows.")
    parser.add_argument("--quick", action="store_true", help="small sizes: a minute instead of ten")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results")
    options = parser.parse_args()
    with Child(threads=1) as child:
        described = child.call(machine.describe)
    with tempfile.TemporaryDirectory(prefix="mlplab-scale-") as folder:
        series = measure(options.quick, described["cores"], Path(folder))
    found = {"machine": described, "series": series}
    file = options.out / f"scale-{machine.slug(described['cpu'])}{'-quick' if options.quick else ''}.json"
    options.out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw(series, file.with_suffix(".png"))
    page = render(found, file.with_suffix(".png").name)
    file.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
