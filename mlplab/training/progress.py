"""The live display of one fit: on standard error, as plain lines where there is no terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mlplab.text import percent
from mlplab.training.callbacks import Callback
from mlplab.training.history import Epoch


def describe(epoch: Epoch, rows: int) -> str:
    """Return an epoch's loss, accuracy and speed in one line; `rows` is the number of training rows."""
    text = f"loss {epoch.train_loss:.4f}  accuracy {percent(epoch.train_accuracy)}"
    if epoch.val_loss == epoch.val_loss:  # not NaN: there are validation rows
        text += f"  validation {epoch.val_loss:.4f} {percent(epoch.val_accuracy)}"
    return text + f"  {rows / epoch.seconds:,.0f} rows/s"


class FitDisplay(Callback):
    """Shows epoch, loss, accuracy, rows per second and the time left.

    Args:
        console: where to; None is standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
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
        text = describe(epoch, estimator.n_training_rows_)
        if self._progress:
            self._progress.update(self._progress.task_ids[0], completed=epoch.epoch, description=text)
        else:
            left = (estimator.max_iter - epoch.epoch) * epoch.seconds
            self._console.print(
                f"epoch {epoch.epoch}/{estimator.max_iter}  {text}  {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )

    def on_fit_end(self, estimator: Any) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None
