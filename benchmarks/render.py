"""From a result's JSON to tables in Markdown: ``python -m benchmarks.render benchmarks/results/peers-CPU.json``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.cases import DEEP, PREDICTED_ROWS, ROWS, network_name
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.results import Results, Steps, best_rates, ratio, share
from benchmarks.targets import pair_share, scaling, targets


def render(results: Results) -> str:
    """Return the whole page."""
    sections = (_head, _targets, _steps, _one_core, _predictions, _start_and_memory, _study)
    return "\n\n".join(section(results) for section in sections) + "\n"


def _head(results: Results) -> str:
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    blas = machine["blas"]
    lines = [
        "# mlplab beside its peers",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; {machine['system']}. "
        f"Vector instructions: {' '.join(machine['vector_flags']) or 'not told'}.",
        f"Python {machine['python']}, {packages}. mlplab's matrix products: {blas['source']}, {blas['version']}, "
        f"kernel {blas['kernel'] or 'not told'}{' (which mlplab asked for)' if blas['mended'] else ''}. "
        f"Measured {machine['date']}{', quickly' if results.quick else ''}; before it, other programs kept "
        f"{machine['load']:.1f} cores busy.",
        f"Every figure is the median of the rounds ({results.rounds}), with the lowest and the highest behind it. In a "
        "round each contender has its turn, in a process of its own, with all cores; the others sleep. Ratios are "
        "taken round by round. Everything is in float32 but the notebook's float64; batches are gathered in a new "
        "random order in each epoch; one epoch goes before, untimed.",
        *(f"{name} was left out: {reason}." for name, reason in results.left_out.items()),
    ]
    return "\n\n".join(lines)


def _targets(results: Results) -> str:
    rows = [
        (
            target.what,
            ("≤ " if target.at_most else "≥ ") + target.unit.format(target.limit),
            "–" if target.found is None else target.unit.format(target.found),
            target.verdict,
        )
        for target in targets(results)
    ]
    return "## Targets\n\n" + _table(("", "wanted", "found", ""), rows)


def _steps(results: Results) -> str:
    names = _in_order(results.steps[0].milliseconds)
    tables: dict[str, Callable[[Steps, str], str]] = {
        "Milliseconds": lambda steps, name: _spread(steps.milliseconds[name], "{:.3g}"),
        f"Times as long as {OURS.name}": lambda steps, name: (
            f"{ratio(steps.milliseconds[name], steps.milliseconds[OURS.name]):.2f}"
        ),
        "Share of the machine's best float32 matrix product": lambda steps, name: (
            f"{share(steps.case, steps.milliseconds[name], steps.gemm):.0%}"
        ),
    }
    parts = ["## A step of training"]
    for title, cell in tables.items():
        rows = [(steps.case.name, *(cell(steps, name) for name in names)) for steps in results.steps]
        parts += [f"### {title}", _table(("", *names), rows)]
    rates = [rate for steps in results.steps for rate in best_rates(steps.gemm)]
    libraries = {name: [r for steps in results.steps for r in steps.gemm[name]] for name in results.steps[0].gemm}
    best = max(libraries, key=lambda name: median(libraries[name]))
    parts.append(
        f"The best matrix product reached {_spread(rates, '{:.0f}')} GFLOP/s; the fastest library of most rounds was "
        f"{best}'s. The notebook's float64 can reach half of it at most."
    )
    return "\n\n".join(parts)


def _one_core(results: Results) -> str:
    core = results.one_core
    rows = [
        ("one process, ms a step", _spread(core.alone, "{:.3g}")),
        ("share of the best matrix product of one thread", f"{share(core.case, core.alone, core.gemm):.0%}"),
        ("two processes at once, ms a step of each", _spread([ms for pair in core.pair for ms in pair], "{:.3g}")),
        ("share of the best matrix product of one thread", f"{pair_share(results):.0%}"),
        ("steps a second, two processes over one", _spread(scaling(results), "{:.2f}")),
        ("best matrix product of one thread, GFLOP/s", _spread(best_rates(core.gemm), "{:.0f}")),
    ]
    title = f"## One thread a process, as the lab's workers\n\n{OURS.name}, {core.case.name}.\n\n"
    return title + _table(("", ""), rows)


def _predictions(results: Results) -> str:
    names = _in_order(results.predictions[0].images)
    rows = [
        (network_name(p.sizes), *(_spread([n / 1000 for n in p.images[name]], "{:.0f}") for name in names))
        for p in results.predictions
    ]
    return f"## Predicting {PREDICTED_ROWS:,} images at once, thousands a second\n\n" + _table(("", *names), rows)


def _start_and_memory(results: Results) -> str:
    names, images = _in_order(results.memory_mb), 4e-6 * ROWS["mnist"] * DEEP[0]
    row = (f"two epochs of {results.one_core.case.name}", *(f"{results.memory_mb[name]:.0f}" for name in names))
    return "\n\n".join(
        (
            "## Start and memory",
            f"`mlplab --help` takes {_spread(results.help_seconds, '{:.2f}')} seconds.",
            f"Peak memory of a process, in MB, {images:.0f} MB of float32 images included:",
            _table(("", *names), [row]),
        )
    )


def _study(results: Results) -> str:
    study = results.study
    if study is None:
        return "## The study\n\nNot measured in a quick run."
    rows = [
        (f"mlplab run exercise6 --set max_iter={study.epochs}", f"{study.seconds:.0f} s"),
        ("the notebook's algorithm, float64", f"{study.notebook_seconds:.0f} s"),
        ("times as long", f"{study.notebook_seconds / study.seconds:.1f}"),
        ("peak memory of the command and its workers, summed", f"{study.peak_mb:.0f} MB"),
        ("a worker's rate in its epochs, all networks", f"{study.core_gflops:.0f} GFLOP/s"),
    ]
    text = (
        f"The five experiments, {study.epochs} epochs each. mlplab trains the {study.networks} different networks "
        f"of the {study.trials} trials, draws the figures and concludes; the notebook trains {study.trials}. Once each."
    )
    return f"## The study\n\n{text}\n\n" + _table(("", ""), rows)


def _in_order(names: Iterable[str]) -> list[str]:
    present = set(names)
    return [contender.name for contender in CONTENDERS if contender.name in present]


def _spread(values: Sequence[float], form: str) -> str:
    low, middle, high = (form.format(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low}–{high})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    source.with_suffix(".md").write_text(render(Results.read(source)), encoding="utf-8")
