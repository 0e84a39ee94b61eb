"""A search beside a grid on MNIST, at a tenth of its epochs: ``python -m benchmarks.search [--searches N]``.

A grid of 120 configurations is trained in full. Searches over the same settings, each with another seed of its sampler,
get a tenth of the grid's epochs, their finalists' included. What they found and the best of the grid are then trained
again with seeds that neither has seen: the best of many is partly the luckiest, and only fresh seeds tell by how much.
Leaves ``search-CPU.md`` and ``.json`` in `benchmarks/results`; the run folders stay in ``build/search``, and it goes on
there.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from mlplab import load_suite, run_suite
from mlplab.lab import Experiment, Suite
from mlplab.lab.analysis.ranking import name_of, rank_configurations
from mlplab.lab.monitoring.terminal import SuiteDisplay
from mlplab.lab.run import Run
from mlplab.lab.spec.trial import Trial
from mlplab.stats.variance_components import mean_difference

_RESULTS = Path(__file__).parent / "results"
_FOLDER = Path("build/search")
_SUITE = """
name = "grid"
dataset = "mnist"
[settings]
activation = "relu"
solver = "adam"
batch_size = 100
max_iter = 20
alpha = 0.0
[[experiment]]
name = "grid"
grid.hidden_layer_sizes = [[64], [128], [256], [512], [256, 256]]
grid.learning_rate_init = [0.0003, 0.001, 0.003, 0.01]
grid.dropout = [0.0, 0.2, 0.4]
grid.normalization = ["none", "batch"]
"""
_SEARCH = """
[search]
seed = {seed}
epochs = {epochs}
finalists = 2
space.hidden_layer_sizes = [[64], [128], [256], [512], [256, 256]]
space.learning_rate_init = {{low = 0.0003, high = 0.01, log = true}}
space.dropout = {{low = 0.0, high = 0.4}}
space.normalization = ["none", "batch"]
"""
#: How many of the grid's best are trained again, and with how many fresh seeds.
_AGAIN, _SEEDS = 3, 5


def run(name: str, suite: Suite) -> Run:
    """Run a suite in a folder of its own, or go on there."""
    return run_suite(replace(suite, name=name), _FOLDER / name, observer=SuiteDisplay())


def search_suite(seed: int, epochs: int) -> Suite:
    """Return the suite of a search over the grid's settings."""
    head = _SUITE[: _SUITE.index("[[experiment]]")]
    file = _FOLDER / f"search-{seed}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(head + _SEARCH.format(seed=seed, epochs=epochs), encoding="utf-8")
    return load_suite(file)


def best_of(found: Run, count: int) -> list[Trial]:
    """Return the trials of the best configurations, those of a search among its finalists."""
    done = [row for row in found.rows if row.status == "done" and not row.experiment.from_search]
    trials = {row.trial.id: row.trial for row in done}
    return [trials[one.trial] for one in rank_configurations(done)[:count]]


def right_answers(again: Run, chosen: Trial) -> list[np.ndarray]:
    """Return whether each validation row was right, an array for each fresh seed, of a configuration trained again."""
    settings = chosen.settings
    rows = [row for row in again.rows if row.trial.settings == settings and row.trial.seed > 0]
    return [again.folder.read_correct(row.trial.id)[1].astype(np.float64) for row in rows]


def main() -> None:
    """Train, compare, write both files, print the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=5, help="[default: 5]")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results")
    options = parser.parse_args()
    _FOLDER.mkdir(parents=True, exist_ok=True)
    (_FOLDER / "grid.toml").write_text(_SUITE, encoding="utf-8")
    suite = load_suite(_FOLDER / "grid.toml")
    grid = run("grid", suite)
    epochs = sum(row.result.epochs for row in grid.rows if row.result)
    searches = [run(f"search-{seed}", search_suite(seed, epochs // 10)) for seed in range(options.searches)]
    best, found = best_of(grid, _AGAIN), [best_of(one, 1)[0] for one in searches]
    experiment = Experiment("again", "Again", {}, {}, tuple(dict(trial.settings) for trial in [*best, *found]))
    again = run("again", replace(suite, experiments=(experiment,), seeds=1 + _SEEDS))
    page, content = describe(grid, searches, best, found, again, epochs)
    file = options.out / f"search-{machine.slug(machine.describe()['cpu'])}.json"
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


def describe(
    grid: Run, searches: list[Run], best: list[Trial], found: list[Trial], again: Run, epochs: int
) -> tuple[str, dict[str, Any]]:
    """Return the page, and the same as plain data."""
    fresh = {trial.id: right_answers(again, trial) for trial in [*best, *found]}
    leader = max(best, key=lambda trial: np.mean(fresh[trial.id]))
    names = ["hidden_layer_sizes", "learning_rate_init", "dropout", "normalization"]
    size = len({row.trial.id for row in grid.rows})
    once = {row.trial.id: 100 * row.result.val_accuracy for row in grid.rows if row.result and row.result.val_accuracy}
    lines, content = [], []
    for trial in best:
        mean = 100 * float(np.mean(fresh[trial.id]))
        lines.append(f"| grid | {epochs:,} | {size} | {name_of(trial, names)} | {once[trial.id]:.2f} | {mean:.2f} | |")
        content.append({"by": "grid", "epochs": epochs, "settings": name_of(trial, names), "fresh": mean})
    for seed, (one, trial) in enumerate(zip(searches, found, strict=True)):
        tried = {row.trial.id: row.result for row in one.rows if row.result}
        spent = sum(result.epochs for result in tried.values())
        from_search = len({row.trial.id for row in one.rows if row.experiment.from_search})
        points, margin = mean_difference([a - b for a, b in zip(fresh[trial.id], fresh[leader.id], strict=True)], 0.95)
        mean = 100 * float(np.mean(fresh[trial.id]))
        lines.append(
            f"| search {seed} | {spent:,} | {from_search} | {name_of(trial, names)} | "
            f"{100 * max(r.val_accuracy or 0.0 for r in tried.values()):.2f} | {mean:.2f} | "
            f"{100 * points:+.2f} ± {100 * margin:.2f} |"
        )
        content.append(
            {"by": f"search {seed}", "epochs": spent, "tried": from_search, "settings": name_of(trial, names)}
            | {"fresh": mean, "difference": 100 * points, "margin": 100 * margin}
        )
    described = machine.describe()
    rows = len(next(iter(fresh.values()))[0])
    page = f"""# A search beside a grid, on MNIST

Validation accuracy (%, {rows:,} rows) of the {len(best)} best of a grid of {size} configurations of 20 epochs each, and
of what searches over the same settings found with a tenth of its epochs, their finalists' included. "Seen" is the
highest that was measured on the way, with one seed: the best of many is partly the luckiest. "Fresh" is the mean of
{_SEEDS} other seeds, and the difference is to the best of the grid by it, with its 95 % interval for other seeds and
rows. Run on {described["cpu"]}, {described["date"]}.

| by | epochs | tried | found | seen | fresh | points behind (-) or ahead of the grid |
|---|---|---|---|---|---|---|
{chr(10).join(lines)}
"""
    return page, {"machine": described, "found": content}


if __name__ == "__main__":
    main()
