"""Functions that draw tables and fitted estimators into matplotlib figures and axes.

``plot_…`` functions are for users and open a pyplot figure unless axes are passed. ``draw_…`` functions draw into axes,
or into a plain figure unless another function that creates figures is passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from mlplab.plots.pyplot_figure import new_pyplot_figure
from mlplab.training.settings import layer_widths
from mlplab.utils.text import percent, true_and_predicted

if TYPE_CHECKING:
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.estimators.learning_rate_finder import LearningRates
    from mlplab.evaluation import Evaluation, RowLoss
    from mlplab.evaluation.calibration import Calibration

#: Eight colours that people with any kind of colour vision can distinguish (Okabe and Ito 2008). Yellow, which is too
#: pale for a line on white, is darkened. Line styles distinguish them in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00", "#B8A800")
STYLES = ("-", "--", ":", "-.")


def plot_learning_curves(estimators: Sequence[NeuralNetworkClassifier], labels: Sequence[str] | None = None) -> Figure:
    """Plot the learning curves of fitted classifiers: training and validation loss, training and validation accuracy.

    Args:
        estimators: fitted classifiers. labels: for the legend; None uses their hidden layers and learning rates.

    Returns:
        A new figure, which is pyplot's current figure: ``plt.savefig("curves.png")`` and
        ``figure.savefig("curves.png")`` write the same file.
    """
    names = labels or [f"{_shape(e)}, lr {e.learning_rate_init:g}" for e in estimators]
    curves = [CurveSet(name, (e.history_,)) for name, e in zip(names, estimators, strict=True)]
    return draw_curves(curves, make_figure=new_pyplot_figure)


def _shape(estimator: NeuralNetworkClassifier) -> str:
    return "-".join(map(str, layer_widths(estimator.hidden_layer_sizes))) or "no hidden layer"


def plot_learning_rates(found: LearningRates, *, ax: Axes | None = None) -> Axes:
    """Plot the result of `find_learning_rate`: the loss at every learning rate, and the suggested rate.

    Returns:
        `ax`, or the axes of a new figure, which is pyplot's current figure.
    """
    ax = ax if ax is not None else new_pyplot_figure(figsize=(6, 4), layout="constrained").subplots()
    ax.plot(found.rates, found.losses, color=COLOURS[0])
    ax.axvline(found.suggestion, color=COLOURS[1], linestyle="--", label=f"suggested: {found.suggestion:.2g}")
    low, high = min(found.losses), found.losses[0]
    ax.set(xscale="log", xlabel="Learning rate", ylabel="Smoothed batch loss (nats)")
    ax.set_ylim(low - 0.1 * (high - low), high + 0.5 * (high - low))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_confusion_matrix(
    estimator: NeuralNetworkClassifier, X: npt.ArrayLike, y: npt.ArrayLike, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Plot the confusion matrix of a fitted classifier on the rows X (rows, features) with labels y (rows,).

    Returns:
        `ax`, or the axes of a new figure, which is pyplot's current figure.
    """
    from mlplab.evaluation.classification import count_pairs

    labels, predictions = np.asarray(y), estimator.predict(X)
    if labels.shape != predictions.shape:
        raise DataError(f"X has {len(predictions)} rows, but y has shape {labels.shape}; the lengths must agree")
    # labels that are not in the training data have rows in the matrix too
    classes = np.union1d(estimator.classes_, labels)
    size = _matrix_size(len(classes))
    axes = ax if ax is not None else new_pyplot_figure(figsize=size, layout="constrained").subplots()
    matrix = count_pairs(encode(labels, classes, "y"), encode(predictions, classes, "the predictions"), len(classes))
    accuracy = float(np.trace(matrix) / matrix.sum())
    draw_confusion(axes, matrix, classes, f"{title} {percent(accuracy)}".strip())
    return axes


def draw_curves(curves: Sequence[CurveSet], title: str = "", make_figure: Callable[..., Figure] = Figure) -> Figure:
    """Draw training and validation loss and accuracy, one line per configuration, with a band over its seeds."""
    columns = 2 if max((len(c.name) for c in curves), default=0) < 60 else 1
    height = 8.2 + 0.26 * ceil(len(curves) / columns)
    figure = make_figure(figsize=(11, height), layout="constrained")
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
    """Return the colour and style of line k; as many lines as possible differ in both."""
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
    """Draw a confusion matrix with a row per true class: numbers are counts, shades are shares of the class's rows."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # the square root makes the few errors visible beside the many correct predictions
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
    axes.set(xlabel="Predicted class", ylabel="True class", title=title)


def draw_confusions(panels: Sequence[tuple[str, Array]], classes: Array, title: str = "") -> Figure:
    """Draw several confusion matrices side by side, each below its title."""
    width, height = _matrix_size(len(classes))
    figure = Figure(figsize=(width * len(panels), height + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=14)
    for axes, (name, matrix) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw_confusion(axes, matrix, classes, name)
    return figure


def draw_evaluation(found: Evaluation) -> Figure:
    """Draw the confusion matrix of an evaluation and, beside it, its reliability diagram."""
    width, height = _matrix_size(len(found.classes))
    figure = Figure(figsize=(width + 5.2, max(height, 5.2)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(width, 5))
    draw_confusion(left, found.confusion_matrix, found.classes, percent(found.accuracy))
    draw_reliability(right, found.calibration())
    return figure


def draw_reliability(axes: Axes, calibration: Calibration, title: str = "") -> None:
    """Draw a reliability diagram: accuracy against confidence; the area of a dot shows the number of rows."""
    filled = calibration.rows > 0
    confidence, accuracy, rows = (v[filled] for v in (calibration.confidence, calibration.accuracy, calibration.rows))
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="perfectly calibrated")
    axes.plot(confidence, accuracy, color=COLOURS[0], linewidth=1, alpha=0.5, zorder=2)
    axes.vlines(confidence, confidence, accuracy, color=COLOURS[1], linewidth=2.5, alpha=0.7, label="gap", zorder=1)
    axes.scatter(confidence, accuracy, s=20 + 280 * rows / rows.max(), color=COLOURS[0], alpha=0.85, zorder=3)
    note = f"expected calibration error {percent(calibration.error)}"
    axes.set(xlabel="Probability of the predicted class", ylabel="Accuracy", title=f"{title}\n{note}".strip())
    low = min(0.9, *(confidence - 0.05), *(accuracy - 0.05))
    axes.set(xlim=(max(0, low), 1.02), ylim=(max(0, low), 1.02), aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    axes.legend(loc="best")


def draw_losses(axes: Axes, losses: Sequence[RowLoss], title: str = "") -> None:
    """Draw the losses of rows as bars, the largest on top, each with its row number, true and predicted class."""
    names = [f"row {one.row:,}: {true_and_predicted(one.truth, one.prediction)}" for one in losses]
    axes.barh(
        range(len(losses)),
        [one.loss for one in losses],
        color=[COLOURS[1] if one.wrong else COLOURS[0] for one in losses],
    )
    axes.set_yticks(range(len(losses)), names)
    axes.invert_yaxis()
    axes.set(xlabel="Loss (nats)", title=title)
    axes.grid(axis="x", alpha=0.3)


def draw_images(
    images: Array,
    captions: Sequence[str],
    title: str = "",
    columns: int = 5,
    make_figure: Callable[..., Figure] = Figure,
) -> Figure:
    """Draw images (count, height, width) in a grid, each below its caption."""
    rows = max(1, ceil(len(images) / columns))
    width, height, heading = 1.9, 2.2, 0.5  # inches, of a cell and of the title
    figure = make_figure(figsize=(columns * width, rows * height + heading))
    figure.suptitle(title, fontsize=14, y=1 - 0.25 / (rows * height + heading))
    # a single panel measured in inches for all images: fifteen panels took four times as long
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
