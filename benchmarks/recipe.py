"""The recipe of suite ``mnist-best`` on all 60,000 training images: ``python -m benchmarks.recipe [--seeds N]``.

The suite chose it by validation rows; here it is trained anew on training and validation rows together, once for each
seed, one process a core, and each network sees the 10,000 test images once. Leaves ``recipe-CPU.md`` and ``.json`` in
`benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import machine
from mlplab import NeuralNetworkClassifier, load_dataset, load_suite
from mlplab.data import split_rows
from mlplab.engine.cpu import usable_cores

_RESULTS = Path(__file__).parent / "results"


def settings() -> dict[str, Any]:
    """Return the recipe: the settings of the suite."""
    return {**load_suite("mnist-best").settings, "tol": None}


def train(seed: int) -> dict[str, float]:
    """Train with one seed on all training images; return the test rows that it got right, and the seconds."""
    dataset = load_dataset("mnist")
    split = split_rows(dataset, "official", seed=seed)
    rows = np.concatenate([split.train, split.validation])
    model = NeuralNetworkClassifier(**{**settings(), "random_state": seed, "input_scale": dataset.scale})
    started = perf_counter()
    model.fit(dataset.X[rows], dataset.y[rows])
    seconds = perf_counter() - started
    right = int((model.predict_rows(dataset.X, split.test) == dataset.y[split.test]).sum())
    return {"seed": seed, "right": right, "of": len(split.test), "seconds": round(seconds, 1)}


def main() -> None:
    """Train, write both files, print the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="[default: 5]")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results")
    options = parser.parse_args()
    started, cores = perf_counter(), min(usable_cores(), options.seeds)
    with ProcessPoolExecutor(cores, get_context("spawn"), _one_thread) as pool:
        found = list(pool.map(train, range(options.seeds)))
    minutes, described = (perf_counter() - started) / 60, machine.describe()
    shares = [100 * one["right"] / one["of"] for one in found]
    spread = f" ± {stdev(shares):.2f} (standard deviation)" if len(shares) > 1 else ""
    rows = [
        f"| {one['seed']} | {share:.2f} % | {one['seconds']:.0f} |" for one, share in zip(found, shares, strict=True)
    ]
    page = "\n".join(
        [
            "# 784-1024-1024-10 on MNIST",
            "",
            f"Test accuracy {mean(shares):.2f} %{spread} over {len(shares)} seeds, each trained on the 60,000 training "
            f"images, without any others. {described['cpu']}, {cores} at a time on {described['cores']} cores, "
            f"{minutes:.0f} minutes in all, {described['date']}.",
            "",
            "`" + ", ".join(f"{name}={value!r}" for name, value in settings().items()) + "`",
            "",
            "| seed | test accuracy | seconds, one core |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
    file = options.out / f"recipe-{machine.slug(described['cpu'])}.json"
    file.write_text(json.dumps({"machine": described, "found": found}, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits

    from mlplab.engine.blas import load_blas

    load_blas()  # so that it is there to be limited
    threadpool_limits(1)


if __name__ == "__main__":
    main()
