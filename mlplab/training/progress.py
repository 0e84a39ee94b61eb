"""The live display of a fit: a progress bar on a terminal, otherwise a line for each epoch, as in scikit-learn."""

from __future__ import annotations

from math import isnan
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mlplab.metrics import Metric
from mlplab.training.callbacks import Callback
from mlplab.training.history import MEASURES, Epoch


def describe(epoch: Epoch, rows: int) -> str:
    """Return an epoch's loss, first metric and speed in one line; `rows` is the number of training rows."""
    return f"loss {epoch.train_loss:.4f}{_measured(epoch, rows)}"


def _measured(epoch: Epoch, rows: int) -> str:
    """Return the values besides the training loss; the training metric and the validation values are optional."""
    text = "".join(f"  {metric.name} {metric.format(value)}" for metric, value in _first_metric(epoch, "training"))
    if not isnan(epoch.val_loss):
        text += f"  validation {epoch.val_loss:.4f}"
        for metric, value in _first_metric(epoch, "validation"):
            # a percentage cannot be confused with the loss; other metrics need their names
            text += f" {metric.format(value)}" if metric.in_percent else f" {metric.name} {metric.format(value)}"
    return text + f"  {rows / epoch.seconds:,.0f} rows/s"


def _first_metric(epoch: Epoch, rows: str) -> list[tuple[Metric, float]]:
    """Return the first metric that was measured on the training or the validation rows, or nothing."""
    values = [(measure.metric, getattr(epoch, measure.column)) for measure in MEASURES if measure.rows == rows]
    return [(metric, value) for metric, value in values if metric and not isnan(value)][:1]


class FitDisplay(Callback):
    """Shows epoch, loss, accuracy, rows per second and the time left.

    Args:
        console: the console to print to; None is standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._progress: Progress | None = None

    def on_fit_begin(self, estimator: Any) -> None:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
                BarColumn(20),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._progress.add_task("", total=estimator.max_iter)
            self._progress.start()

    def on_epoch_end(self, estimator: Any, epoch: Epoch) -> None:
        rows = estimator.n_training_rows_
        if self._progress:
            text = describe(epoch, rows)
            self._progress.update(self._progress.task_ids[0], completed=epoch.epoch, description=text)
        else:
            left = max(0, estimator.max_iter - epoch.epoch) * epoch.seconds
            self._console.print(
                f"Iteration {epoch.epoch}, loss = {epoch.objective:.8f}{_measured(epoch, rows)}  {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )

    def on_fit_end(self, estimator: Any) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None
