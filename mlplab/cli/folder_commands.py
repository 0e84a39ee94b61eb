"""Commands for a run folder: status, compare, report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlplab.cli.options import folder_argument, json_option
from mlplab.lab.spec.status import Status

if TYPE_CHECKING:
    from mlplab.lab.run import Run


@click.command()
@folder_argument
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Show the progress of the run in DIR."""
    from mlplab.lab import open_run
    from mlplab.utils.text import how_many

    run = open_run(folder)
    suite, rows = run.suite, run.rows
    states = Counter({row.trial.id: row.status for row in rows}.values())
    waiting = {row.trial.id: row.trial for row in rows if row.status == Status.WAITING}
    at_work, finished = run.folder.is_locked(), _is_finished(run)
    begun = sum(run.folder.checkpoint(trial.lineage).is_file() for trial in waiting.values())
    if as_json:
        also = {"begun": begun} if waiting else {}
        facts = {"suite": suite.name, "at_work": at_work, "finished": finished, "trials": states.total()}
        click.echo(json.dumps({**facts, **states, **also}))
        return
    # a finished search does not resume the trials that it paused
    names = {status: status.value for status in Status} | ({Status.PAUSED: "stopped early"} if finished else {})
    counts = ", ".join(f"{count} {names[state]}" for state, count in sorted(states.items()))
    counts += f" ({begun} of them started)" if begun else ""
    progress = "in progress" if at_work else "finished" if finished else "not finished"
    click.echo(f"{suite.name}: {how_many(states.total(), 'trial')}{f': {counts}' if counts else ''}; {progress}")
    for experiment in suite.experiments:
        mine = [row for row in rows if row.experiment == experiment]
        ended = sum(row.status.has_ended for row in mine)
        amount = f"{len(mine):4} tried" if experiment.from_search else f"{ended:4} of {len(mine)}"
        click.echo(f"  {experiment.name:24} {amount}  {experiment.title}")


def _is_finished(run: Run) -> bool:
    """Return whether no trial is left to train, and a search has chosen its finalists."""
    is_open = run.suite.search is not None and all(experiment.from_search for experiment in run.suite.experiments)
    return not (is_open or any(row.unfinished or row.status == Status.WAITING for row in run.rows))


@click.command()
@folder_argument
@click.option(
    "--experiment",
    metavar="NAME",
    help="Compare only the configurations of this experiment.  [default: all experiments]",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, max_open=True),
    metavar="LEVEL",
    default=0.95,
    show_default=True,
    help="Joint confidence level of all comparisons.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 100, max_open=True),
    metavar="POINTS",
    default=0.0,
    show_default=True,
    help="Accept a smaller network up to this many percentage points below the best.",
)
@json_option
def compare(folder: Path, experiment: str | None, confidence: float, margin: float, as_json: bool) -> None:
    """Compare the configurations of the run in DIR.

    Shows which configurations are the best, as far as the seeds and the validation rows can distinguish them, and the
    smallest one that is good enough.
    """
    from mlplab.lab import compare_results

    found = compare_results(folder, experiment=experiment, confidence=confidence, margin=margin / 100)
    if as_json:
        click.echo(json.dumps(vars(found), default=lambda array: array.tolist()))
        return
    click.echo(found)


@click.command()
@folder_argument
def report(folder: Path) -> None:
    """Write the conclusion and the figures of the run in DIR again.

    Nothing is trained: they are made from the stored results.
    """
    from mlplab.lab import open_run
    from mlplab.lab.report.writing import rewrite_report

    run = open_run(folder)
    with run.folder.locked():
        run = open_run(folder)  # as it is now that no other process changes it
        written = rewrite_report(run, run.image_dataset())
    if run.conclusion is None:
        click.echo("The run is not finished: there is no conclusion to write yet.", err=True)
    for path in written:
        click.echo(path)


COMMANDS = (status, compare, report)
