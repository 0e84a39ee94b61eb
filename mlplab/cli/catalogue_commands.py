"""Commands that list built-in suites and data sets: suites, data."""

from __future__ import annotations

import json
from collections import Counter

import click

from mlplab.cli.options import json_option, target_option


@click.command()
@json_option
def suites(as_json: bool) -> None:
    """List the built-in suites."""
    from mlplab.lab.spec.suite import built_in_suites, load_suite
    from mlplab.utils.text import how_many

    found = [load_suite(name) for name in built_in_suites()]
    if as_json:
        click.echo(json.dumps([{"name": s.name, "title": s.title, "dataset": s.source.name} for s in found]))
        return
    for suite in found:
        click.echo(f"{suite.name}: {suite.title}")
        for experiment in suite.experiments:
            trials = sum(e == experiment for e, _ in suite.cells())
            click.echo(f"  {experiment.name:24} {how_many(trials, 'trial'):>10}  {experiment.title}")
        if suite.search:
            click.echo(f"  {'search':24} {suite.search.epochs:3} epochs  {', '.join(suite.search.space)}")


@click.command()
@click.argument("name", required=False)
@target_option
@json_option
def data(name: str | None, target: str | None, as_json: bool) -> None:
    """List the built-in data sets, or describe one data set.

    NAME is a built-in data set or a file.
    """
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
    for caution in dataset.cautions():
        click.echo(f"Note: {caution}.", err=True)


COMMANDS = (suites, data)
