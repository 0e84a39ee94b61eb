"""Pieces of Markdown that the parts of a conclusion share."""

from __future__ import annotations

from collections.abc import Iterable

from mlplab.lab.analysis.findings import Configuration, Difference
from mlplab.utils.text import chance, percent, points


def describe_chance(configuration: Configuration) -> str:
    """Return how likely it is the best, or nothing."""
    return "" if configuration.chance is None else chance(configuration.chance)


def describe_accuracy(configuration: Configuration) -> str:
    """Return an accuracy with its interval."""
    if configuration.interval is None:
        return percent(configuration.val_accuracy)
    low, high = configuration.interval
    return f"{percent(configuration.val_accuracy)} (95 % interval {percent(low)} to {percent(high)})"


def cells(c: Configuration, seeds: int) -> list[str]:
    """Return name, accuracy, interval, loss, parameters and seconds; `seeds` is how many it should have."""
    name = c.name if c.seeds == seeds else f"{c.name} ({c.seeds} of {seeds} seeds)"
    interval = f"{100 * c.interval[0]:.2f} to {100 * c.interval[1]:.2f}" if c.interval else ""
    return [name, percent(c.val_accuracy), interval, f"{c.val_loss:.4f}", f"{c.parameters:,}", f"{c.seconds:.1f}"]


def describe_difference(difference: Difference) -> str:
    """Return a difference in points with its margin."""
    return points(difference.points, difference.margin)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table: the first column flush left, the others flush right."""
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * w if k == 0 else "-" * (w - 1) + ":") for k, w in enumerate(widths)]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])


def bullets(items: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {item}" for item in items)
