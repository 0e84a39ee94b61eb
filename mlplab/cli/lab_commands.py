"""Commands around suites: run, status, report, suites, data."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

# What takes long to import stands inside the commands that need it: `mlplab --help` answers at once.
if TYPE_CHECKING:
    from mlplab.lab.runner import Run
    from mlplab.lab.scheduler import Display
    from mlplab.lab.store import ResultRow, RunFolder
    from mlplab.lab.suite import Suite

_folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command()
@click.argument("suite")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder.  [default: runs/NAME]")
@click.option("--jobs", type=int, help="Worker processes.  [default: as many as cores]")
@click.option("--samples", type=int, help="Rows that training and validation share.  [default: all]")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Fix a setting for every trial.")
@click.option("--seeds", type=int, help="Train every configuration with this many seeds.")
@click.option(
    "--checkpoint-seconds",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    help="How often every training writes its state, to go on from.",
)
@click.option("--tensorboard", metavar="DIR", help="Also write the curves for TensorBoard.")
@click.option("--mlflow", metavar="URI", help="Also log every network to MLflow.")
@click.option("--dry-run", is_flag=True, help="Only tell how much there is to do and how long it will take.")
@_json_option
def run(
    suite: str,
    out: Path | None,
    jobs: int | None,
    samples: int | None,
    assignments: tuple[str, ...],
    seeds: int | None,
    checkpoint_seconds: float,
    tensorboard: str | None,
    mlflow: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run SUITE, a built-in name or a TOML file: train what is missing, draw, conclude.

    Stop it at any moment, even with kill -9, and run it again: it goes on where it was.
    """
    from mlplab.engine.cpu import usable_cores
    from mlplab.lab.runner import run_suite
    from mlplab.lab.store import RunFolder
    from mlplab.lab.suite import check_count

    jobs = usable_cores() if jobs is None else check_count("--jobs", jobs)
    resolved = _resolve(suite, samples, seeds, assignments)
    out = out or Path("runs") / resolved.name
    if dry_run:
        return _dry_run(resolved, RunFolder(out), jobs, as_json)
    signal.signal(signal.SIGTERM, _interrupt)
    display = _display(resolved, tensorboard, mlflow)
    outcome = run_suite(resolved, out, jobs=jobs, display=lambda: display, checkpoint_seconds=checkpoint_seconds)
    if not _has_figures(outcome):
        _draw(outcome.folder, resolved, outcome.rows)
    _print_run(outcome, as_json)
    return 1 if outcome.failed else 0


def _resolve(name: str, samples: int | None, seeds: int | None, assignments: tuple[str, ...]) -> Suite:
    from mlplab.lab.suite import check_count, load_suite, parse_assignment

    suite = load_suite(name)
    if samples is not None:
        suite = replace(suite, samples=check_count("--samples", samples))
    if seeds is not None:
        suite = replace(suite, seeds=check_count("--seeds", seeds))
    for assignment in assignments:
        suite = suite.with_setting(*parse_assignment(assignment))
    return suite


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _display(suite: Suite, tensorboard: str | None, mlflow: str | None) -> Display:
    """Return what hears of everything that happens: the terminal, and the tools that were asked for."""
    from mlplab.lab.progress import SuiteDisplay

    if tensorboard is None and mlflow is None:
        return SuiteDisplay()
    from mlplab.lab.writers import MlflowWriter, Several, TensorBoardWriter

    others: list[Display] = [TensorBoardWriter(tensorboard)] if tensorboard is not None else []
    if mlflow is not None:
        others.append(MlflowWriter(mlflow, suite.name))
    return Several([SuiteDisplay(), *others])


def _dry_run(suite: Suite, folder: RunFolder, jobs: int, as_json: bool) -> int:
    from mlplab.lab.estimate import estimate
    from mlplab.text import describe_seconds

    found = estimate(suite, folder, jobs)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        click.echo(
            f"{found.suite}: {found.trials} trials, {found.done} of them done; {found.networks} networks to train, "
            f"{found.epochs:,} epochs, about {describe_seconds(found.seconds)} on {found.jobs} processes"
        )
    return 0


def _has_figures(outcome: Run) -> bool:
    from mlplab.lab.conclusion import digest_of

    return outcome.folder.drawn_digest() == digest_of(outcome.rows)


def _draw(folder: RunFolder, suite: Suite, rows: Sequence[ResultRow]) -> list[Path]:
    from mlplab.report import draw_figures

    with folder.locked():
        return draw_figures(folder, suite, rows, suite.source.load())


def _print_run(outcome: Run, as_json: bool) -> None:
    folder = outcome.folder
    for row in {row.trial.id: row for row in outcome.failed}.values():
        click.echo(f"failed: {row.label} (its traceback is in {folder.trial(row.trial.id) / 'trial.json'})", err=True)
    if as_json:
        click.echo(folder.conclusion_json.read_text(encoding="utf-8"), nl=False)
        return
    click.echo(folder.conclusion_md.read_text(encoding="utf-8"))
    if not outcome.trained and not outcome.failed:
        click.echo("Nothing was left to train.")
    click.echo(f"results: {folder.results_file}\nfigures: {folder.figures}\nconclusion: {folder.conclusion_md}")


def _open(path: Path) -> tuple[RunFolder, Suite, list[ResultRow]]:
    from mlplab.lab.store import RunFolder

    folder = RunFolder(path)
    suite = folder.suite()
    return folder, suite, folder.rows(suite, suite.source.fingerprint(), folder.read_labels())


@click.command()
@_folder_argument
@_json_option
def status(folder: Path, as_json: bool) -> None:
    """Tell how far the run in DIR is."""
    _, suite, rows = _open(folder)
    states = Counter({row.trial.id: row.status for row in rows}.values())
    if as_json:
        click.echo(json.dumps({"suite": suite.name, "trials": states.total(), **states}))
        return
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    click.echo(f"{suite.name}: {states.total()} trials: {counts}")
    for experiment in suite.experiments:
        mine = [row for row in rows if row.experiment == experiment]
        ended = sum(row.status in ("done", "diverged") for row in mine)
        click.echo(f"  {experiment.name:24} {ended:4} of {len(mine)}  {experiment.title}")


@click.command()
@_folder_argument
def report(folder: Path) -> None:
    """Draw the figures of the run in DIR anew, from its stored results."""
    opened, suite, rows = _open(folder)
    for path in _draw(opened, suite, rows):
        click.echo(path)


@click.command()
@_json_option
def suites(as_json: bool) -> None:
    """List the built-in suites."""
    from mlplab.lab.suite import built_in_suites, load_suite

    found = [load_suite(name) for name in built_in_suites()]
    if as_json:
        click.echo(json.dumps([{"name": s.name, "title": s.title, "dataset": s.source.name} for s in found]))
        return
    for suite in found:
        click.echo(f"{suite.name}: {suite.title}")
        for experiment in suite.experiments:
            trials = sum(e == experiment for e, _ in suite.cells(""))
            click.echo(f"  {experiment.name:24} {trials:3} trials  {experiment.title}")


@click.command()
@click.argument("name", required=False)
@click.option("--target", help="The target column of a table, or the labels' file.")
@_json_option
def data(name: str | None, target: str | None, as_json: bool) -> None:
    """List the built-in data sets, or look at one, or at a file of your own."""
    from mlplab.data.names import DATASETS

    if name is None:
        listed = [{"name": key, "description": text} for key, text in DATASETS.items()]
        click.echo(json.dumps(listed) if as_json else "\n".join(f"{d['name']}: {d['description']}" for d in listed))
        return
    from mlplab.data import load_dataset

    dataset = load_dataset(name, target=target)
    counts = Counter(dataset.y.tolist())
    if as_json:
        facts = {"name": dataset.name, "rows": len(dataset.y), "features": dataset.X.shape[1]}
        click.echo(json.dumps({**facts, "classes": {str(label): counts[label] for label in dataset.classes.tolist()}}))
        return
    rows, features = dataset.X.shape
    click.echo(f"{dataset.name}: {rows:,} rows, {features:,} features ({dataset.X.dtype}), {len(counts)} classes")
    for label in dataset.classes.tolist():
        click.echo(f"  {label!s:16} {counts[label]:8,} rows  {counts[label] / rows:6.1%}")
    if caution := dataset.caution():
        click.echo(f"Note: {caution}.", err=True)


COMMANDS = (run, status, report, suites, data)
