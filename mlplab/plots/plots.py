"""The drawings. Each takes plain tables or fitted estimators and returns a matplotlib figure or axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mlplab.data.labels import encode
from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.plots.curves import CURVES, CurveSet
from mlplab.training.settings import layer_widths
from mlplab.utils.text import percent

if TYPE_CHECKING:
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.estimators.learning_rate_finder import LearningRates
    from mlplab.evaluation import Evaluation, RowLoss
    from mlplab.evaluation.calibration import Calibration

#: Okabe and Ito 2008: eight colours that people with any kind of colour vision tell apart; yellow, too pale for a line
#: on white, is darkened. Line styles tell them apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00", "#B8A800")
STYLES = ("-", "--", ":", "-.")


def plot_learning_curves(estimators: Sequence[NeuralNetworkClassifier], labels: Sequence[str] | None = None) -> Figure:
    """Draw the four learning curves of fitted classifiers: loss and accuracy of training and validation.

    Args:
        estimators: fitted ones. labels: for the legend; None names their layers and learning rates.

    Returns:
        A figure; ``figure.savefig("curves.png")`` keeps it.
    """
    names = labels or [f"{_shape(e)}, lr {e.learning_rate_init:g}" for e in estimators]
    return draw_curves([CurveSet(name, (e.history_,)) for name, e in zip(names, estimators, strict=True)])


def _shape(estimator: NeuralNetworkClassifier) -> str:
    return "-".join(map(str, layer_widths(estimator.hidden_layer_sizes))) or "no hidden layer"


def plot_learning_rates(found: LearningRates, *, ax: Axes | None = None) -> Axes:
    """Draw what `find_learning_rate` returned: the loss at every learning rate, and the suggested one.

    Returns:
        The axes drawn into: `ax`, or those of a new figure.
    """
    ax = ax if ax is not None else Figure(figsize=(6, 4), layout="constrained").subplots()
    ax.plot(found.rates, found.losses, color=COLOURS[0])
    ax.axvline(found.suggestion, color=COLOURS[1], linestyle="--", label=f"suggested: {found.suggestion:.2g}")
    low, high = min(found.losses), found.losses[0]
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss of a batch (nats), smoothed")
    ax.set_ylim(low - 0.1 * (high - low), high + 0.5 * (high - low))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_confusion_matrix(
    estimator: NeuralNetworkClassifier, X: npt.ArrayLike, y: npt.ArrayLike, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the confusion matrix of a fitted classifier on the rows X (rows, features) with labels y (rows,).

    Returns:
        The axes drawn into: `ax`, or those of a new figure.
    """
    from mlplab.evaluation.classification import count_pairs

    labels, answers = np.asarray(y), estimator.predict(X)
    if labels.shape != answers.shape:
        raise DataError(f"X has {len(answers)} rows, but y is of shape {labels.shape}; they must agree")
    # labels that the classifier never saw have their rows too
    classes = np.union1d(estimator.classes_, labels)
    axes = ax if ax is not None else Figure(figsize=_matrix_size(len(classes)), layout="constrained").subplots()
    matrix = count_pairs(encode(labels, classes, "y"), encode(answers, classes, "the predictions"), len(classes))
    accuracy = float(np.trace(matrix) / matrix.sum())
    draw_confusion(axes, matrix, classes, f"{title} {percent(accuracy)}".strip())
    return axes


def draw_curves(curves: Sequence[CurveSet], title: str = "") -> Figure:
    """Draw loss and accuracy of training and validation: a line for each configuration, with a band over its seeds."""
    columns = 2 if max((len(c.name) for c in curves), default=0) < 60 else 1
    height = 8.2 + 0.26 * ceil(len(curves) / columns)
    figure = Figure(figsize=(11, height), layout="constrained")
    figure.suptitle(title, fontsize=14)
    for axes, (column, name, is_share) in zip(figure.subplots(2, 2).flat, CURVES, strict=True):
        for k, curve_set in enumerate(curves):
            _draw_curve(axes, curve_set.curve(column), curve_set, k)
        axes.set(title=name, xlabel="Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if is_share:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(alpha=0.3)
    handles = [Line2D([], [], label=_legend(c), **_look(c, k)) for k, c in enumerate(curves)]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=4, frameon=False)
    return figure


def _draw_curve(axes: Axes, values: Array, curve_set: CurveSet, k: int) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    if not len(epochs) or np.isnan(values).all():
        return
    mean = np.nanmean(values, axis=0)
    axes.plot(epochs, mean, **_look(curve_set, k))
    if len(values) > 1:
        axes.fill_between(
            epochs, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=COLOURS[k % 8], alpha=0.15
        )
    if curve_set.best:
        axes.plot(epochs[-1], mean[-1], marker="*", markersize=15, color=COLOURS[k % 8], markeredgecolor="black")
    if curve_set.diverged:
        axes.plot(epochs[-1], mean[-1], marker="X", markersize=10, color=COLOURS[k % 8], markeredgecolor="black")


def _look(curve_set: CurveSet, k: int) -> dict[str, Any]:
    """Return colour and style of the k-th line: pairs that differ in both for as long as possible."""
    return {
        "color": COLOURS[k % len(COLOURS)],
        "linestyle": STYLES[(k + k // len(COLOURS)) % len(STYLES)],
        "linewidth": 3 if curve_set.best else 1.7,
    }


def _legend(curve_set: CurveSet) -> str:
    note = " (★ best validation accuracy)" if curve_set.best else ""
    return curve_set.name + note + (" (✖ diverged)" if curve_set.diverged else "")


def _matrix_size(classes: int) -> tuple[float, float]:
    side = min(14.0, max(4.5, 1.5 + 0.5 * classes))
    return side, side


def draw_confusion(axes: Axes, matrix: Array, classes: Sequence[Any] | Array, title: str = "") -> None:
    """Draw a confusion matrix (rows: truth): shades are shares of a class's rows, numbers are counts."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # the few errors are what is looked for: the square root makes them visible beside the many right answers
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= 20:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.4 else "black"
                axes.text(column, row, f"{count}", ha="center", va="center", fontsize=7.5, color=colour)
    names = [str(name) for name in classes]
    positions = range(0, len(names), max(1, len(names) // 30))
    rotation = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticks(positions, [names[k] for k in positions], rotation=rotation)
    axes.set_yticks(positions, [names[k] for k in positions])
    axes.set(xlabel="Predicted", ylabel="Truth", title=title)


def draw_confusions(panels: Sequence[tuple[str, Array]], classes: Array, title: str = "") -> Figure:
    """Draw several confusion matrices side by side, each with its title."""
    width, height = _matrix_size(len(classes))
    figure = Figure(figsize=(width * len(panels), height + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=14)
    for axes, (name, matrix) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw_confusion(axes, matrix, classes, name)
    return figure


def draw_evaluation(found: Evaluation) -> Figure:
    """Draw the confusion matrix of an evaluation and, beside it, how sure it was against how often it was right."""
    width, height = _matrix_size(len(found.classes))
    figure = Figure(figsize=(width + 5.2, max(height, 5.2)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(width, 5))
    draw_confusion(left, found.confusion_matrix, found.classes, percent(found.accuracy))
    draw_reliability(right, found.calibration())
    return figure


def draw_reliability(axes: Axes, calibration: Calibration, title: str = "") -> None:
    """Draw how often predictions were right against how sure they were; the area of a dot is its bin's rows."""
    filled = calibration.rows > 0
    sure, right, rows = (v[filled] for v in (calibration.confidence, calibration.accuracy, calibration.rows))
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="as sure as it is right")
    axes.plot(sure, right, color=COLOURS[0], linewidth=1, alpha=0.5, zorder=2)
    axes.vlines(sure, sure, right, color=COLOURS[1], linewidth=2.5, alpha=0.7, label="gap", zorder=1)
    axes.scatter(sure, right, s=20 + 280 * rows / rows.max(), color=COLOURS[0], alpha=0.85, zorder=3)
    note = f"expected calibration error {percent(calibration.error)}"
    axes.set(xlabel="Probability of the prediction", ylabel="Share that is right", title=f"{title}\n{note}".strip())
    low = min(0.9, *(sure - 0.05), *(right - 0.05))
    axes.set(xlim=(max(0, low), 1.02), ylim=(max(0, low), 1.02), aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    axes.legend(loc="best")


def draw_losses(axes: Axes, losses: Sequence[RowLoss], title: str = "") -> None:
    """Draw the losses of rows as bars, the largest on top, each with its row, its truth and its prediction."""
    names = [
        f"row {one.row:,}: {one.truth}, not {one.prediction}" if one.wrong else f"row {one.row:,}: {one.truth}"
        for one in losses
    ]
    axes.barh(
        range(len(losses)),
        [one.loss for one in losses],
        color=[COLOURS[1] if one.wrong else COLOURS[0] for one in losses],
    )
    axes.set_yticks(range(len(losses)), names)
    axes.invert_yaxis()
    axes.set(xlabel="Loss (nats)", title=title)
    axes.grid(axis="x", alpha=0.3)


def draw_images(images: Array, captions: Sequence[str], title: str = "", columns: int = 5) -> Figure:
    """Draw images (count, height, width) in a grid, each under its caption."""
    rows = max(1, ceil(len(images) / columns))
    width, height, heading = 1.9, 2.2, 0.5  # inches, of a cell and of the title
    figure = Figure(figsize=(columns * width, rows * height + heading))
    figure.suptitle(title, fontsize=14, y=1 - 0.25 / (rows * height + heading))
    # all in one panel, measured in inches: fifteen panels took four times as long
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    largest = max(images.shape[1:], default=1)
    high, wide = (1.6 * size / largest for size in images.shape[1:])
    for k, (image, caption) in enumerate(zip(images, captions, strict=True)):
        middle, top = (k % columns + 0.5) * width, heading + (k // columns) * height + 0.45
        extent = (middle - wide / 2, middle + wide / 2, top + high, top)
        axes.imshow(image, cmap="gray_r", extent=extent, aspect="auto")
        axes.text(middle, top - 0.05, caption, fontsize=10, ha="center", va="bottom")
    axes.set(xlim=(0, columns * width), ylim=(rows * height + heading, 0))
    return figure
