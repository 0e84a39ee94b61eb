"""Formatting of the values of a metric in sentences and tables."""

from __future__ import annotations

from dataclasses import dataclass

from mlplab.lab.analysis.findings import Configuration, Difference
from mlplab.lab.report.document import Sentence, Span, number, sentence
from mlplab.metrics import Metric
from mlplab.utils.text import chance, points


@dataclass(frozen=True)
class Wording:
    """Formats the values of one metric.

    Attributes:
        metric: the metric.
    """

    metric: Metric

    @property
    def name(self) -> str:
        """The name of the metric in a sentence."""
        return self.metric.name.replace("_", " ")

    @property
    def unit(self) -> str:
        """The unit of differences in the header of a column; empty if they have no unit."""
        return " (points)" if self.metric.in_percent else ""

    def value(self, value: float) -> Span:
        """Return a value: ``97.25 %``."""
        return number(value, self.metric.format(value))

    def scatter(self, spread: float) -> Span:
        """Return a standard deviation without its unit: ``0.12``."""
        return number(spread, f"{100 * spread:.2f}" if self.metric.in_percent else f"{spread:.4f}")

    def points(self, difference: float) -> Span:
        """Return a difference without its unit and margin: ``0.12``."""
        return self.scatter(difference)

    def difference(self, difference: Difference) -> Span:
        """Return a difference with its margin, without its unit: ``0.12 ± 0.22``."""
        if self.metric.in_percent:
            return number(difference.value, points(100 * difference.value, 100 * difference.margin))
        return number(difference.value, f"{difference.value:.4f} ± {difference.margin:.4f}")

    def ends(self, interval: tuple[float, float]) -> Sentence:
        """Return an interval: ``97.10 % to 97.40 %``."""
        low, high = interval
        return sentence("{low} to {high}", low=self.value(low), high=self.value(high))

    def with_interval(self, configuration: Configuration) -> Sentence:
        """Return the value of a configuration, with its interval if it has one."""
        value = self.value(configuration.value)
        if configuration.interval is None:
            return Sentence((value,))
        return sentence("{value} (95 % interval {ends})", value=value, ends=self.ends(configuration.interval))

    def cells(self, c: Configuration, seeds: int) -> list[str]:
        """Return name, value, interval, loss, parameters and seconds of a configuration; `seeds` are expected."""
        name = c.name if c.seeds == seeds else f"{c.name} ({c.seeds} of {seeds} seeds)"
        interval = ""
        if c.interval:
            low, high = c.interval
            interval = f"{self.scatter(low).text} to {self.scatter(high).text}"
        loss, parameters = f"{c.val_loss:.4f}", f"{c.parameters:,}"
        return [name, self.value(c.value).text, interval, loss, parameters, f"{c.seconds:.1f}"]


def describe_chance(configuration: Configuration) -> str:
    """Return the probability that a configuration is the best; empty if it was not compared."""
    return "" if configuration.chance is None else chance(configuration.chance)
