"""Commands that look at a run folder: status, compare, report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from mlplab.cli.options import folder_argument, json_option
from mlplab.lab.spec.status import Status


@click.command()
@folder_argument
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Tell how far the run in DIR is."""
    from mlplab.lab import open_run

    run = open_run(folder)
    suite, rows = run.suite, run.rows
    states = Counter({row.trial.id: row.status for row in rows}.values())
    waiting = {row.trial.id: row.trial for row in rows if row.status == Status.WAITING}
    at_work = run.folder.is_at_work()
    begun = sum(run.folder.checkpoint(trial.lineage).is_file() for trial in waiting.values())
    if as_json:
        also = {"begun": begun} if waiting else {}
        click.echo(json.dumps({"suite": suite.name, "at_work": at_work, "trials": states.total(), **states, **also}))
        return
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    counts += f" ({begun} of them begun)" if begun else ""
    click.echo(f"{suite.name}: {states.total()} trials: {counts}{'; a run is at work' if at_work else ''}")
    for experiment in suite.experiments:
        mine = [row for row in rows if row.experiment == experiment]
        ended = sum(row.status.has_ended for row in mine)
        click.echo(f"  {experiment.name:24} {ended:4} of {len(mine)}  {experiment.title}")


@click.command()
@folder_argument
@click.option("--experiment", metavar="NAME", help="Compare the configurations of this one alone.")
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="Of all statements together.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 100, max_open=True),
    default=0.0,
    help="By how many points the smallest good one may be behind.  [default: 0]",
)
@json_option
def compare(folder: Path, experiment: str | None, confidence: float, margin: float, as_json: bool) -> None:
    """Compare the configurations of the run in DIR: which are the best, as far as seeds and rows can tell."""
    from mlplab.lab import compare_results

    found = compare_results(folder, experiment=experiment, confidence=confidence, margin=margin / 100)
    if as_json:
        click.echo(json.dumps(vars(found), default=lambda array: array.tolist()))
        return
    click.echo(found)


@click.command()
@folder_argument
def report(folder: Path) -> None:
    """Write the conclusion's text and the figures of the run in DIR again, from its stored results."""
    from mlplab.lab import open_run
    from mlplab.lab.report.writing import write_report
    from mlplab.lab.storage.integrity import remove_manifest, write_manifest

    run = open_run(folder)
    with run.folder.locked():
        run = open_run(folder)  # as it is now that no other process changes it
        remove_manifest(run.folder)
        written = write_report(run, run.image_dataset)
        write_manifest(run.folder)
    for path in written:
        click.echo(path)


COMMANDS = (status, compare, report)
