"""Commands that train: run, search."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlplab.cli.options import json_option, samples_option, target_option

# Slow imports are inside the commands that need them, so that `mlplab --help` answers at once.
if TYPE_CHECKING:
    from mlplab.lab.monitoring.observer import RunObserver
    from mlplab.lab.run import Run
    from mlplab.lab.spec.suite import Suite
    from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True)
class RunOptions:
    """The options that `run` and `search` share."""

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
    """Return a decorator that adds the options of `RunOptions` to a command; `seeds` is the help text of --seeds."""
    options = [
        click.option(
            "--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder.  [default: runs/NAME-OF-SUITE]"
        ),
        click.option("--jobs", type=int, metavar="N", help="Number of worker processes.  [default: number of cores]"),
        samples_option,
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Fix a setting for every trial, for example max_iter=5. Can be repeated.",
        ),
        click.option("--seeds", type=int, metavar="N", help=seeds),
        click.option(
            "--checkpoint-seconds",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            default=10,
            show_default=True,
            help="Seconds between checkpoints.",
        ),
        click.option(
            "--scheduler",
            metavar="ADDRESS",
            help="Train on the workers of this Dask scheduler.  [default: on this machine]",
        ),
        click.option("--tensorboard", metavar="DIR", help="Also write learning curves for TensorBoard to DIR."),
        click.option("--mlflow", metavar="URI", help="Also log every trial to this MLflow tracking server."),
        click.option("--dry-run", is_flag=True, help="Show the planned work and an estimated time, without training."),
        json_option,
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@click.argument("suite")
@_run_options(seeds="Number of seeds for every configuration.  [default: from the suite]")
def run(suite: str, **options: Any) -> int:
    """Run SUITE: train the missing trials, draw figures and conclude.

    SUITE is a built-in suite (`mlplab suites` lists them) or a TOML file.

    A run that was interrupted, even by `kill -9`, resumes where it stopped when it is started again.
    """
    from mlplab.lab.spec.suite import load_suite

    shared = RunOptions(**options)
    return _run(_resolve(load_suite(suite), shared), shared)


@click.command()
@click.argument("data")
@target_option
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Budget of epochs for all trainings together.  [default: from the suite, or 25 full trainings]",
)
@click.option("--minutes", type=float, metavar="M", help="Budget of wall-clock time.  [default: no limit]")
@click.option(
    "--space",
    "dimensions",
    multiple=True,
    metavar="KEY=VALUES",
    help="Values or range to search for a setting. Can be repeated.",
)
@click.option(
    "--finalists",
    type=int,
    metavar="N",
    help="Number of the best configurations to train again with fresh seeds.  [default: from the suite, or 3]",
)
@click.option("--sampler", metavar="NAME", help="Sampler: tpe or random.  [default: from the suite, or tpe]")
@click.option(
    "--pruning",
    metavar="NAME",
    help="Pruning strategy: halving, hyperband or none.  [default: from the suite, or halving]",
)
@_run_options(seeds="Number of fresh seeds for the finalists.  [default: from the suite, or 3]")
def search(
    data: str,
    target: str | None,
    epochs: int | None,
    minutes: float | None,
    dimensions: tuple[str, ...],
    finalists: int | None,
    sampler: str | None,
    pruning: str | None,
    **options: Any,
) -> int:
    """Search for a good network for DATA within a budget.

    DATA is a built-in data set, a file, or a suite with a [search] table.

    Many configurations are trained for a few epochs, the better ones are trained further, and the best ones, the
    finalists, are trained again with fresh seeds. A search that was interrupted resumes where it stopped when it is
    started again.

    \b
    The values of --space are written as in a suite, as a list or a range:
      --space 'dropout=[0.0, 0.2]'
      --space 'learning_rate_init={low = 0.001, high = 0.1, log = true}'
    """  # noqa: D301 - click reads \b as the start of lines that it must not wrap
    from mlplab.lab.search.template import suite_for
    from mlplab.lab.spec.suite import built_in_suites, load_suite

    shared = RunOptions(**options)
    is_suite = data in built_in_suites() or data.endswith(".toml")
    suite = load_suite(data) if is_suite else suite_for(data, target)
    given = {"finalists": finalists, "sampler": sampler, "pruning": pruning}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if epochs is not None or minutes is not None:  # replaces the budget of the suite
        changes |= {"epochs": epochs, "minutes": minutes}
    return _run(_resolve(_with_search(suite, changes, dimensions), shared), shared)


def _with_search(suite: Suite, changes: dict[str, Any], dimensions: tuple[str, ...]) -> Suite:
    """Return the suite with fields of its search changed, and the space of some settings replaced."""
    from mlplab.errors import SettingError
    from mlplab.lab.spec.search import check_search
    from mlplab.lab.spec.space import read_dimension
    from mlplab.training.settings import parse_assignment

    if suite.search is None:
        raise SettingError(f"{suite.name} has no [search] table; use `mlplab run`")
    changed = replace(suite.search, **changes)
    for dimension in dimensions:
        name, what = parse_assignment(dimension, "--space", "'dropout=[0.0, 0.2]'")
        content = list(what) if isinstance(what, tuple) else what
        changed = changed.trying(name, read_dimension(name, content, "--space: "))
    check_search(changed, suite.settings, "search: ")
    return replace(suite, search=changed)


def _run(suite: Suite, shared: RunOptions) -> int:
    from mlplab.engine.cpu import usable_cores
    from mlplab.errors import SettingError
    from mlplab.lab.runner import run_suite
    from mlplab.lab.storage.run_folder import RunFolder
    from mlplab.training.settings import check_count

    if shared.jobs is not None and shared.scheduler is not None:
        raise SettingError("--jobs cannot be combined with --scheduler, which uses all workers of the cluster")
    jobs = usable_cores() if shared.jobs is None else check_count("--jobs", shared.jobs)
    out = shared.out or Path("runs") / suite.name
    if shared.dry_run:
        return _dry_run(suite, RunFolder(out), jobs, shared.as_json)
    signal.signal(signal.SIGTERM, _interrupt)
    observer = _observer(suite, shared.tensorboard, shared.mlflow)
    outcome = run_suite(
        suite,
        out,
        jobs=jobs,
        observer=observer,
        checkpoint_seconds=shared.checkpoint_seconds,
        scheduler=shared.scheduler,
    )
    _print_run(outcome, shared.as_json)
    return 1 if outcome.failed else 0


def _resolve(suite: Suite, shared: RunOptions) -> Suite:
    """Return the suite with the samples, seeds and settings of the command line."""
    from mlplab.training.settings import check_count, parse_assignment

    if shared.samples is not None:
        suite = replace(suite, samples=check_count("--samples", shared.samples))
    if shared.seeds is not None:
        suite = replace(suite, seeds=check_count("--seeds", shared.seeds))
    for assignment in shared.assignments:
        name, value = parse_assignment(assignment)
        if names := [experiment.name for experiment in suite.experiments if name in experiment.varied]:
            where = f"experiment{'s' if len(names) > 1 else ''} {', '.join(names)}"
            click.echo(f"Note: --set {assignment} overrides the values compared in {where}.", err=True)
        suite = suite.with_setting(name, value)
    return suite


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _observer(suite: Suite, tensorboard: str | None, mlflow: str | None) -> RunObserver:
    """Return the display on the terminal, combined with the other tools that the options name."""
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
    from mlplab.utils.text import describe_seconds, how_many

    if suite.search:
        return _dry_search(suite, folder, jobs, as_json)
    found = estimate(suite, folder, jobs)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        click.echo(
            f"{found.suite}: {how_many(found.trials, 'trial')}, {found.done:,} done; "
            f"{how_many(found.networks, 'network')} to train for {how_many(found.epochs, 'epoch')} in total, "
            f"about {describe_seconds(found.seconds)} with {_processes(found.jobs)}"
        )
    return 0


def _dry_search(suite: Suite, folder: RunFolder, jobs: int, as_json: bool) -> int:
    from mlplab.lab.estimate import estimate_search
    from mlplab.utils.text import describe_seconds, how_many

    found = estimate_search(suite, folder, jobs)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return 0
    click.echo(
        f"{found.suite}: {how_many(found.tried, 'configuration')} tried, {how_many(found.made, 'epoch')} used; "
        f"{how_many(found.first, 'configuration')} in the first round; at most {how_many(found.epochs, 'epoch')} left, "
        f"about {describe_seconds(found.seconds)} with {_processes(found.jobs)}"
    )
    return 0


def _processes(number: int) -> str:
    return f"{number} process{'' if number == 1 else 'es'}"


def _print_run(outcome: Run, as_json: bool) -> None:
    folder = outcome.folder
    for row in {row.trial.id: row for row in outcome.failed}.values():
        click.echo(f"failed: {row.label} (traceback in {folder.trial(row.trial.id) / 'trial.json'})", err=True)
    if as_json:
        click.echo(folder.conclusion_json.read_text(encoding="utf-8"), nl=False)
        return
    _print_conclusion(outcome)
    if not outcome.trained and not outcome.failed:
        click.echo("Nothing left to train; the results are complete.")
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
