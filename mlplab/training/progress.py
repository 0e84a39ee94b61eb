"""The live display of one fit: a bar on a terminal, elsewhere scikit-learn's line for each epoch, and more in it."""

from __future__ import annotations

from math import isnan
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mlplab.training.callbacks import Callback
from mlplab.training.history import Epoch
from mlplab.utils.text import percent


def describe(epoch: Epoch, rows: int) -> str:
    """Return an epoch's loss, accuracy and speed in one line; `rows` is the number of training rows."""
    return f"loss {epoch.train_loss:.4f}{_measured(epoch, rows)}"


def _measured(epoch: Epoch, rows: int) -> str:
    """Return what there is beside the loss: values have no accuracy, and there may be no validation rows."""
    text = "" if isnan(epoch.train_accuracy) else f"  accuracy {percent(epoch.train_accuracy)}"
    if not isnan(epoch.val_loss):
        text += f"  validation {epoch.val_loss:.4f}"
        text += "" if isnan(epoch.val_accuracy) else f" {percent(epoch.val_accuracy)}"
    return text + f"  {rows / epoch.seconds:,.0f} rows/s"


class FitDisplay(Callback):
    """Shows epoch, loss, accuracy, rows per second and the time left.

    Args:
        console: where to; None is standard output.
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
