"""Commands around suites: run, search, status, report, suites, data."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

# What takes long to import stands inside the commands that need it: `mlplab --help` answers at once.
if TYPE_CHECKING:
    from mlplab.lab.display import Display
    from mlplab.lab.runner import Run
    from mlplab.lab.store import ResultRow, RunFolder
    from mlplab.lab.suite import Suite

_folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@dataclass(frozen=True)
class _Way:
    """How a suite is run: the options that `run` and `search` share."""

    out: Path | None
    jobs: int | None
    samples: int | None
    assignments: tuple[str, ...]
    seeds: int | None
    checkpoint_seconds: float
    scheduler: str | None
    tensorboard: str | None
    mlflow: str | None
    dry_run: bool
    as_json: bool


def _run_options(seeds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command the options of `_Way`; `seeds` is what is said of that one."""
    options = [
        click.option("--out", type=click.Path(path_type=Path), help="The run folder.  [default: runs/NAME]"),
        click.option("--jobs", type=int, help="Worker processes.  [default: as many as cores]"),
        click.option("--samples", type=int, help="Rows that training and validation share.  [default: all]"),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Fix a setting for every trial."),
        click.option("--seeds", type=int, help=seeds),
        click.option(
            "--checkpoint-seconds",
            type=click.FloatRange(min=0),
            default=10,
            show_default=True,
            help="How often every training writes its state, to go on from.",
        ),
        click.option("--scheduler", metavar="ADDRESS", help="Train on the workers of this Dask scheduler."),
        click.option("--tensorboard", metavar="DIR", help="Also write the curves for TensorBoard."),
        click.option("--mlflow", metavar="URI", help="Also log every network to MLflow."),
        click.option("--dry-run", is_flag=True, help="Only tell how much there is to do and how long it will take."),
        _json_option,
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@click.argument("suite")
@_run_options(seeds="Train every configuration with this many seeds.")
def run(suite: str, **options: Any) -> int:
    """Run SUITE, a built-in name or a TOML file: train what is missing, draw, conclude.

    Stop it at any moment, even with kill -9, and run it again: it goes on where it was.
    """
    from mlplab.lab.suite import load_suite

    way = _Way(**options)
    return _run(_resolve(load_suite(suite), way), way)


@click.command()
@click.argument("data")
@click.option("--target", help="The target column of a table, or the labels' file.")
@click.option("--epochs", type=int, help="How many epochs all trainings together may make.")
@click.option("--minutes", type=float, help="How long it may take.")
@click.option("--space", "dimensions", multiple=True, metavar="KEY=VALUES", help="What to try of a setting.")
@click.option("--finalists", type=int, help="How many of the best to train again with fresh seeds.")
@click.option("--sampler", help="Who proposes: tpe or random.")
@click.option("--pruning", help="Who is trained on: halving, hyperband or none.")
@_run_options(seeds="Train the finalists with this many fresh seeds.")
def search(
    data: str,
    target: str | None,
    dimensions: tuple[str, ...],
    **options: Any,
) -> int:
    """Search for a good network for DATA: a data set's name, a file, or a suite with a [search].

    Many configurations are tried for a few epochs, the better ones are trained on, and the finalists are trained again
    with fresh seeds. Stop it at any moment and start it again: it goes on where it was.

    For what to try, write a list or a range as in a suite: --space 'dropout=[0.0, 0.2]' --space
    'learning_rate_init={low = 0.001, high = 0.1, log = true}'.
    """
    from mlplab.lab.search.template import suite_for
    from mlplab.lab.suite import built_in_suites, load_suite

    asked = {name: options.pop(name) for name in ("epochs", "minutes", "finalists", "sampler", "pruning")}
    way = _Way(**options)
    is_suite = data in built_in_suites() or data.endswith(".toml")
    suite = load_suite(data) if is_suite else suite_for(data, target)
    return _run(_resolve(_with_search(suite, asked, dimensions), way), way)


def _with_search(suite: Suite, asked: dict[str, Any], dimensions: tuple[str, ...]) -> Suite:
    """Return the suite with what the command line says of its search; a new budget takes the place of the suite's."""
    from mlplab.errors import SettingError
    from mlplab.lab.reading import parse_assignment
    from mlplab.lab.search.spec import read_search

    if suite.search is None:
        raise SettingError(f"{suite.name} has no [search]: run it with `mlplab run`")
    given = {name: value for name, value in asked.items() if value is not None}
    content = suite.search.to_plain()
    if "epochs" in given or "minutes" in given:
        content = {name: value for name, value in content.items() if name not in ("epochs", "minutes")}
    content = {**content, **given}
    for dimension in dimensions:
        name, what = parse_assignment(dimension, "--space")
        content["space"][name] = list(what) if isinstance(what, tuple) else what
    return replace(suite, search=read_search(content, suite.settings, "search: "))


def _run(suite: Suite, way: _Way) -> int:
    from mlplab.engine.cpu import usable_cores
    from mlplab.errors import SettingError
    from mlplab.lab.reading import check_count
    from mlplab.lab.runner import run_suite
    from mlplab.lab.store import RunFolder

    if way.jobs is not None and way.scheduler is not None:
        raise SettingError("--jobs is for this machine: with --scheduler, as many train as the cluster has workers")
    jobs = usable_cores() if way.jobs is None else check_count("--jobs", way.jobs)
    out = way.out or Path("runs") / suite.name
    if way.dry_run:
        return _dry_run(suite, RunFolder(out), jobs, way.as_json)
    signal.signal(signal.SIGTERM, _interrupt)
    display = _display(suite, way.tensorboard, way.mlflow)
    outcome = run_suite(
        suite,
        out,
        jobs=jobs,
        display=lambda: display,
        checkpoint_seconds=way.checkpoint_seconds,
        scheduler=way.scheduler,
    )
    if not _has_figures(outcome):
        _draw(outcome.folder, outcome.suite, outcome.rows)
    _print_run(outcome, way.as_json)
    return 1 if outcome.failed else 0


def _resolve(suite: Suite, way: _Way) -> Suite:
    from mlplab.lab.reading import check_count, parse_assignment

    if way.samples is not None:
        suite = replace(suite, samples=check_count("--samples", way.samples))
    if way.seeds is not None:
        suite = replace(suite, seeds=check_count("--seeds", way.seeds))
    for assignment in way.assignments:
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

    if suite.search:
        return _dry_search(suite, folder, jobs, as_json)
    found = estimate(suite, folder, jobs)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        click.echo(
            f"{found.suite}: {found.trials} trials, {found.done} of them done; {found.networks} networks to train, "
            f"{found.epochs:,} epochs, about {describe_seconds(found.seconds)} on {found.jobs} processes"
        )
    return 0


def _dry_search(suite: Suite, folder: RunFolder, jobs: int, as_json: bool) -> int:
    from mlplab.lab.estimate import estimate_search
    from mlplab.text import describe_seconds

    found = estimate_search(suite, folder, jobs)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return 0
    left = "" if found.epochs is None else f"{found.epochs:,} epochs to make, "
    click.echo(
        f"{found.suite}: {found.tried} configurations tried, {found.made:,} epochs made; the first round tries "
        f"{found.first}; {left}about {describe_seconds(found.seconds)} on {found.jobs} processes"
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
    from mlplab.lab.search.log import with_findings
    from mlplab.lab.store import RunFolder

    folder = RunFolder(path)
    suite = with_findings(folder.suite(), folder)
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
        if suite.search:
            click.echo(f"  {'search':24} {suite.search.epochs:3} epochs  over {', '.join(suite.search.space)}")


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


COMMANDS = (run, search, status, report, suites, data)
