"""mlplab beside its peers, all in one run: ``python -m benchmarks.peers [--quick]``.

Leaves ``peers-CPU.json`` with every value of every round, and ``peers-CPU.md`` with tables, in `benchmarks/results`; a
quick run has ``-quick`` in its files' names and replaces no full one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.child import Child
from benchmarks.measure import (
    Field,
    measure_help,
    measure_memory,
    measure_one_core,
    measure_predictions,
    measure_steps,
    report,
)
from benchmarks.render import render
from benchmarks.results import Results
from benchmarks.rows import write_rows
from benchmarks.study import measure_study

_RESULTS = Path(__file__).parent / "results"
_ROUNDS, _QUICK_ROUNDS = 7, 3


def measure(rounds: int, quick: bool, folder: Path) -> Results:
    """Measure everything; `folder` is for what lasts as long as the run."""
    with Child(threads=1) as child:  # this process stays small: it only waits
        found = child.call(machine.describe)
        child.call(write_rows, folder)
    with Field(found["cores"], folder).started() as field:
        steps = measure_steps(field, rounds)
        predictions = measure_predictions(field, rounds)
    return Results(
        machine=found,
        libraries=field.libraries,
        rounds=rounds,
        quick=quick,
        left_out=field.left_out,
        steps=steps,
        one_core=measure_one_core(folder, rounds),
        predictions=predictions,
        help_seconds=measure_help(3 * rounds),
        memory_mb=measure_memory(field),
        study=None if quick else measure_study(field.threads, folder),
    )


def main() -> None:
    """Measure, write both files, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="mlplab beside its peers.")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, and no study: minutes instead of half an hour"
    )
    parser.add_argument("--rounds", type=int, help=f"[default: {_ROUNDS}, with --quick {_QUICK_ROUNDS}]")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results")
    options = parser.parse_args()
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    with tempfile.TemporaryDirectory(prefix="mlplab-peers-") as folder:
        results = measure(rounds, options.quick, Path(folder))
    name = f"peers-{machine.slug(results.machine['cpu'])}{'-quick' if options.quick else ''}.json"
    file = options.out / name
    file.parent.mkdir(parents=True, exist_ok=True)
    results.write(file)
    page = render(results)
    file.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)
    report(f"written: {file.name} and .md")


if __name__ == "__main__":
    main()
