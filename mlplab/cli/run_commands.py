"""Commands that train: run, search."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlplab.cli.options import json_option, target_option

# What takes long to import stands inside the commands that need it: `mlplab --help` answers at once.
if TYPE_CHECKING:
    from mlplab.lab.monitoring.observer import RunObserver
    from mlplab.lab.run import Run
    from mlplab.lab.spec.suite import Suite
    from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True)
class RunOptions:
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
    """Return a decorator that gives a command the options of `RunOptions`; `seeds` is what is said of that one."""
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
        json_option,
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
    from mlplab.lab.spec.suite import load_suite

    way = RunOptions(**options)
    return _run(_resolve(load_suite(suite), way), way)


@click.command()
@click.argument("data")
@target_option
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
    from mlplab.lab.spec.suite import built_in_suites, load_suite

    asked = {name: options.pop(name) for name in ("epochs", "minutes", "finalists", "sampler", "pruning")}
    way = RunOptions(**options)
    is_suite = data in built_in_suites() or data.endswith(".toml")
    suite = load_suite(data) if is_suite else suite_for(data, target)
    return _run(_resolve(_with_search(suite, asked, dimensions), way), way)


def _with_search(suite: Suite, asked: dict[str, Any], dimensions: tuple[str, ...]) -> Suite:
    """Return the suite with what the command line says of its search; a new budget takes the place of the suite's."""
    from mlplab.errors import SettingError
    from mlplab.lab.spec.search import read_search
    from mlplab.training.settings import parse_assignment

    if suite.search is None:
        raise SettingError(f"{suite.name} has no [search]: run it with `mlplab run`")
    given = {name: value for name, value in asked.items() if value is not None}
    content = suite.search.to_plain()
    if "epochs" in given or "minutes" in given:
        content = {name: value for name, value in content.items() if name not in ("epochs", "minutes")}
    content = {**content, **given}
    for dimension in dimensions:
        name, what = parse_assignment(dimension, "--space", "'dropout=[0.0, 0.2]'")
        content["space"][name] = list(what) if isinstance(what, tuple) else what
    return replace(suite, search=read_search(content, suite.settings, "search: "))


def _run(suite: Suite, way: RunOptions) -> int:
    from mlplab.engine.cpu import usable_cores
    from mlplab.errors import SettingError
    from mlplab.lab.runner import run_suite
    from mlplab.lab.storage.run_folder import RunFolder
    from mlplab.training.settings import check_count

    if way.jobs is not None and way.scheduler is not None:
        raise SettingError("--jobs is for this machine: with --scheduler, as many train as the cluster has workers")
    jobs = usable_cores() if way.jobs is None else check_count("--jobs", way.jobs)
    out = way.out or Path("runs") / suite.name
    if way.dry_run:
        return _dry_run(suite, RunFolder(out), jobs, way.as_json)
    signal.signal(signal.SIGTERM, _interrupt)
    observer = _observer(suite, way.tensorboard, way.mlflow)
    outcome = run_suite(
        suite,
        out,
        jobs=jobs,
        observer=observer,
        checkpoint_seconds=way.checkpoint_seconds,
        scheduler=way.scheduler,
    )
    _print_run(outcome, way.as_json)
    return 1 if outcome.failed else 0


def _resolve(suite: Suite, way: RunOptions) -> Suite:
    from mlplab.training.settings import check_count, parse_assignment

    if way.samples is not None:
        suite = replace(suite, samples=check_count("--samples", way.samples))
    if way.seeds is not None:
        suite = replace(suite, seeds=check_count("--seeds", way.seeds))
    for assignment in way.assignments:
        name, value = parse_assignment(assignment)
        if names := [experiment.name for experiment in suite.experiments if name in experiment.varied]:
            click.echo(f"--set {assignment} takes the place of what {', '.join(names)} compares.", err=True)
        suite = suite.with_setting(name, value)
    return suite


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _observer(suite: Suite, tensorboard: str | None, mlflow: str | None) -> RunObserver:
    """Return what hears of everything that happens: the terminal, and the tools that were asked for."""
    from mlplab.lab.monitoring.terminal import SuiteDisplay

    if tensorboard is None and mlflow is None:
        return SuiteDisplay()
    from mlplab.lab.monitoring.composite import CompositeObserver
    from mlplab.lab.monitoring.mlflow import MlflowWriter
    from mlplab.lab.monitoring.tensorboard import TensorBoardWriter

    others: list[RunObserver] = [TensorBoardWriter(tensorboard)] if tensorboard is not None else []
    if mlflow is not None:
        others.append(MlflowWriter(mlflow, suite.name))
    return CompositeObserver(SuiteDisplay(), others)


def _dry_run(suite: Suite, folder: RunFolder, jobs: int, as_json: bool) -> int:
    from mlplab.lab.estimate import estimate
    from mlplab.utils.text import describe_seconds

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
    from mlplab.utils.text import describe_seconds

    found = estimate_search(suite, folder, jobs)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return 0
    click.echo(
        f"{found.suite}: {found.tried} configurations tried, {found.made:,} epochs made; the first round tries "
        f"{found.first}; at most {found.epochs:,} epochs to make, about {describe_seconds(found.seconds)} on "
        f"{found.jobs} processes"
    )
    return 0


def _print_run(outcome: Run, as_json: bool) -> None:
    folder = outcome.folder
    for row in {row.trial.id: row for row in outcome.failed}.values():
        click.echo(f"failed: {row.label} (its traceback is in {folder.trial(row.trial.id) / 'trial.json'})", err=True)
    if as_json:
        click.echo(folder.conclusion_json.read_text(encoding="utf-8"), nl=False)
        return
    _print_conclusion(outcome)
    if not outcome.trained and not outcome.failed:
        click.echo("Nothing was left to train.")
    click.echo(f"results: {folder.results_file}\nfigures: {folder.figures}\nconclusion: {folder.conclusion_md}")


def _print_conclusion(outcome: Run) -> None:
    """Print the conclusion: laid out on a terminal, as Markdown elsewhere."""
    from rich.console import Console

    from mlplab.lab.report.conclusion import describe_conclusion
    from mlplab.lab.report.markdown import to_markdown
    from mlplab.lab.report.terminal import print_document

    assert outcome.conclusion is not None
    document = describe_conclusion(outcome.conclusion)
    console = Console(highlight=False)
    if console.is_terminal:
        print_document(document, console)
    else:
        click.echo(to_markdown(document))


COMMANDS = (run, search)
