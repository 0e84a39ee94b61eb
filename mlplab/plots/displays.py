"""Displays with scikit-learn's interface: `from_estimator` computes and plots, `plot` plots again.

A new figure is pyplot's current figure, as with scikit-learn's displays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mlplab.engine.base import Array
from mlplab.errors import SettingError
from mlplab.plots import plots
from mlplab.plots.pyplot_figure import new_pyplot_figure
from mlplab.training.history import History
from mlplab.utils.text import true_and_predicted

if TYPE_CHECKING:
    from mlplab.evaluation import RowLoss
    from mlplab.evaluation.calibration import Calibration


@dataclass
class ReliabilityDisplay:
    """Reliability diagram: the accuracy of a classifier against the probability of its predictions.

    Attributes:
        calibration: the values plotted. title: of the axes.
        ax_, figure_: the axes and the figure of the last plot.
    """

    calibration: Calibration
    title: str = ""
    ax_: Axes = field(init=False, repr=False)
    figure_: Figure = field(init=False, repr=False)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        bins: int = 15,
        title: str = "",
        ax: Axes | None = None,
    ) -> Self:
        """Evaluate a fitted classifier on the rows X (rows, features) with labels y (rows,), and plot.

        Args:
            bins: number of bins of equal width between 0 and 1.
            ax: axes to plot into; None makes a new figure.
        """
        from mlplab.evaluation import evaluate_classifier

        return cls(evaluate_classifier(estimator, X, y).calibration(bins), title).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls, y_true: npt.ArrayLike, y_prob: npt.ArrayLike, *, bins: int = 15, title: str = "", ax: Axes | None = None
    ) -> Self:
        """Plot from the indices of the true classes, (rows,), and the probability of every class, (rows, classes)."""
        from mlplab.evaluation.calibration import calibration_of

        p, true = np.asarray(y_prob), np.asarray(y_true)
        return cls(calibration_of(p.max(axis=1), p.argmax(axis=1) == true, bins), title).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Plot into the axes, or into the axes of a new figure."""
        self.ax_ = ax if ax is not None else new_pyplot_figure(figsize=(5, 5), layout="constrained").subplots()
        self.figure_ = _figure_of(self.ax_)
        plots.draw_reliability(self.ax_, self.calibration, self.title)
        return self


@dataclass
class HistoryDisplay:
    """Training history of one network: its loss and, for a classifier, its accuracy after every epoch.

    Attributes:
        history: the values plotted. title: of the figure.
        axes_, figure_: the axes, for the loss and for the accuracy, and the figure of the last plot.
    """

    history: History
    title: str = ""
    axes_: list[Axes] = field(init=False, repr=False)
    figure_: Figure = field(init=False, repr=False)

    @classmethod
    def from_estimator(cls, estimator: Any, *, title: str = "") -> Self:
        """Plot the history of a fitted classifier or regressor."""
        return cls(estimator.history_, title).plot()

    def plot(self) -> Self:
        """Plot into a new figure."""
        # curves without values are omitted: the accuracy of a regressor, validation without validation rows
        drawn = [
            (name, {part: curve for part in ("train", "val") if not np.isnan(curve := self._curve(part, name)).all()})
            for name in ("loss", "accuracy")
        ]
        drawn = [(name, curves) for name, curves in drawn if curves]
        if not drawn:
            raise SettingError("the history has no epoch with a loss to plot")
        self.figure_ = new_pyplot_figure(figsize=(5.2 * len(drawn), 4), layout="constrained")
        self.figure_.suptitle(self.title)
        self.axes_ = list(self.figure_.subplots(1, len(drawn), squeeze=False)[0])
        for ax, (name, curves) in zip(self.axes_, drawn, strict=True):
            for k, (part, curve) in enumerate(curves.items()):
                label = {"train": "training", "val": "validation"}[part]
                ax.plot(self.history["epoch"], curve, color=plots.COLOURS[k], linestyle=plots.STYLES[k], label=label)
            ax.set(xlabel="Epoch", title=name.capitalize())
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            if name == "accuracy":
                ax.yaxis.set_major_formatter(PercentFormatter(1))
            ax.grid(alpha=0.3)
            ax.legend(frameon=False)
        return self

    def _curve(self, part: str, name: str) -> Array:
        return np.array(self.history[f"{part}_{name}"], np.float64)


@dataclass
class TopLossesDisplay:
    """The rows with the largest losses, shown as images, or as bars for other rows.

    Attributes:
        losses: the largest first. images: (rows, height, width), or None. title: of the figure.
        figure_: the figure of the last plot.
    """

    losses: list[RowLoss]
    images: Array | None = None
    title: str = ""
    figure_: Figure = field(init=False, repr=False)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        count: int = 10,
        image_shape: tuple[int, int] | None = None,
        title: str = "",
    ) -> Self:
        """Evaluate a fitted classifier on the rows X (rows, features) with labels y (rows,), and plot.

        Args:
            count: number of rows to show.
            image_shape: height and width, if a row holds the pixels of an image.
        """
        from mlplab.evaluation import evaluate_classifier

        losses = evaluate_classifier(estimator, X, y).top_losses(count)
        images = None
        if image_shape is not None:
            pixels = np.asarray(X)
            if pixels.shape[1] != image_shape[0] * image_shape[1]:
                raise SettingError(f"image_shape={image_shape} does not match rows of {pixels.shape[1]} features")
            images = pixels[[loss.row for loss in losses]].reshape(-1, *image_shape)
        return cls(losses, images, title).plot()

    def plot(self) -> Self:
        """Plot into a new figure."""
        if self.images is not None:
            captions = [
                f"{true_and_predicted(one.truth, one.prediction)}\np(true) = {one.probability:.2g}"
                for one in self.losses
            ]
            self.figure_ = plots.draw_images(self.images, captions, self.title, make_figure=new_pyplot_figure)
            return self
        self.figure_ = new_pyplot_figure(figsize=(7, 1.2 + 0.32 * len(self.losses)), layout="constrained")
        plots.draw_losses(self.figure_.subplots(), self.losses, self.title)
        return self


def _figure_of(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure
