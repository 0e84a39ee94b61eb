"""The summary of a fitted network, its layers and its training: as a table, as text and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

from mlplab.estimators.fitted_network import FittedNetwork
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.network import Layout
from mlplab.nn.normalization import NORMALIZATIONS
from mlplab.training.build import name_in
from mlplab.training.history import History
from mlplab.utils.text import align, describe_seconds, percent

if TYPE_CHECKING:
    import pandas

#: The largest number of points drawn of a curve; more cannot be distinguished at this size.
_POINTS = 200
_WIDTH, _HEIGHT = 300, 130


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        layer: "hidden 1", "hidden 2", ... and "output".
        inputs, units: I and O.
        activation, normalization: by name; for your own, the name of its type.
        parameters: the number of weights, biases, gains and shifts.
    """

    layer: str
    inputs: int
    units: int
    activation: str
    normalization: str
    parameters: int


@dataclass(frozen=True)
class Summary:
    """The layers and the training of a fitted network; ``print(summary)`` shows them.

    Attributes:
        title: the estimator's class.
        layers: from the first hidden layer to the output layer.
        facts: lines about its training.
        history: its epochs.
    """

    title: str
    layers: tuple[LayerSummary, ...]
    facts: tuple[str, ...]
    history: History

    @property
    def parameters(self) -> int:
        """The number of parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas data frame with a row for each layer."""
        import pandas

        return pandas.DataFrame(self.layers)

    def __str__(self) -> str:
        table = align([_HEAD, *map(_cells, self.layers)], left=1)
        return "\n".join([f"{self.title}: {self.parameters:,} parameters", "", table, "", *self.facts])

    def to_html(self) -> str:
        """Return a section for a notebook's cell; every text in it is escaped."""
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(layer))}</tr>" for layer in self.layers
        )
        head = "".join(f"<th>{escape(name)}</th>" for name in _HEAD)
        facts = "".join(f"<li>{escape(fact)}</li>" for fact in self.facts)
        charts = _chart("Loss", self.history, "train_loss", "val_loss") + _chart(
            "Accuracy", self.history, "train_accuracy", "val_accuracy"
        )
        return (
            f'<style>{_STYLE}</style><section class="mlplab"><p>{self.parameters:,} parameters</p>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><ul>{facts}</ul>"
            f"<div>{charts}</div></section>"
        )


#: The name of each curve, its colour, its dashes, and where its name ends.
_LINES = (("training", "#2a8fd0", "", _WIDTH - 75), ("validation", "#e0701a", "4 3", _WIDTH - 10))
_HEAD = [field.name for field in fields(LayerSummary)]
_STYLE = (
    ".mlplab{font:13px/1.45 system-ui,sans-serif;margin:.6em 0;color:inherit}"
    ".mlplab p,.mlplab ul{margin:.4em 0}.mlplab ul{padding-left:1.3em}"
    ".mlplab table{font:inherit;border-collapse:collapse;margin:.4em 0}"
    ".mlplab th,.mlplab td{text-align:right;padding:.15em .8em;border-bottom:1px solid rgba(128,128,128,.35)}"
    ".mlplab th:first-child,.mlplab td:first-child{text-align:left}"
    ".mlplab div{display:flex;flex-wrap:wrap;gap:1em}"
    ".mlplab svg{width:27em;max-width:100%;font:10px system-ui,sans-serif}"
)


def summarize(title: str, fitted: FittedNetwork, facts: Sequence[str], history: History) -> Summary:
    """Return the summary of a fitted network, with these lines about its training."""
    network, layers = fitted.network, []
    activations = [_name_of(ACTIVATIONS, part) for part in network.activations[:-1]] + [fitted.loss.out_activation]
    normalization = _name_of(NORMALIZATIONS, network.normalization) if network.normalization else ""
    for k, (inputs, units) in enumerate(zip(network.sizes, network.sizes[1:], strict=False)):
        hidden = k < len(network.sizes) - 2
        sizes = (inputs, units, 0) if hidden else (inputs, units)  # a layer with another above it is hidden
        parameters = Layout(sizes, network.fit_intercept, network.layout.normalized).count()
        name = f"hidden {k + 1}" if hidden else "output"
        layers.append(LayerSummary(name, inputs, units, activations[k], normalization if hidden else "", parameters))
    return Summary(title, tuple(layers), tuple(facts), history)


def _name_of(table: Mapping[str, object], part: object) -> str:
    return name_in(table, part) or type(part).__name__


def describe_training(history: History, rows: int) -> list[str]:
    """Return lines about the training: its epochs, its rows, its time and its result."""
    if not history.epochs:
        return ["no epoch was finished"]
    seconds = sum(second for second in history["seconds"] if isfinite(second))
    of_rows = f" on {rows:,} rows" if rows else ""
    facts = [f"{len(history)} {'epoch' if len(history) == 1 else 'epochs'}{of_rows}, {describe_seconds(seconds)}"]
    last = history.epochs[-1]
    for name, loss, accuracy in (
        ("training", last.train_loss, last.train_accuracy),
        ("validation", last.val_loss, last.val_accuracy),
    ):
        parts = [f"loss {loss:.4g}"] * isfinite(loss) + [f"accuracy {percent(accuracy)}"] * isfinite(accuracy)
        if parts:
            facts.append(f"{name} in the last epoch: {', '.join(parts)}")
    return facts


def _cells(layer: LayerSummary) -> list[str]:
    values = (getattr(layer, name) for name in _HEAD)
    return [f"{value:,}" if isinstance(value, int) else value for value in values]


def _chart(title: str, history: History, *columns: str) -> str:
    """Return curves over the epochs as SVG; "" if no value is finite."""
    curves = [
        [(epoch, value) for epoch, value in zip(history["epoch"], history[column], strict=True) if isfinite(value)]
        for column in columns
    ]
    values = [value for curve in curves for _, value in curve]
    if not values:
        return ""
    low, high, last = min(values), max(values), max(2, len(history))
    span = (high - low) or 1.0

    def place(epoch: float, value: float) -> str:
        x, y = 45 + (_WIDTH - 55) * (epoch - 1) / (last - 1), 22 + (_HEIGHT - 42) * (high - value) / span
        return f"{x:.1f},{y:.1f}"

    bottom, right = _HEIGHT - 20, _WIDTH - 10
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title} of every epoch">',
        f"<title>{title} of every epoch, {low:.4g} to {high:.4g}</title>",
        '<g fill="currentColor">',
        f'<text x="8" y="14" font-weight="bold">{title}</text>',
        f'<text x="40" y="26" text-anchor="end">{high:.3g}</text>',
        f'<text x="40" y="{bottom}" text-anchor="end">{low:.3g}</text>',
        f'<text x="45" y="{_HEIGHT - 6}">1</text>',
        f'<text x="{right}" y="{_HEIGHT - 6}" text-anchor="end">epoch {len(history):,}</text></g>',
        f'<path d="M45 22V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity=".4"/>',
    ]
    for curve, (name, colour, dash, end) in zip(curves, _LINES, strict=True):
        if curve:
            every = -(-len(curve) // _POINTS)
            points = " ".join(place(*point) for point in [*curve[:-1:every], curve[-1]])
            style = f'fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dash}" stroke-linecap="round"'
            # a single point becomes a line to itself, which round ends turn into a dot
            parts.append(f'<polyline points="{points} {points.split()[-1]}" {style}/>')
            parts.append(f'<text x="{end}" y="14" text-anchor="end" fill="{colour}">{name}</text>')
    return "".join([*parts, "</svg>"])
