"""The live display of a suite on standard error, or plain lines if that is not a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from mlplab.training.history import MEASURES
from mlplab.training.progress import describe
from mlplab.utils.text import describe_seconds

# These import scikit-learn, which takes a second and which the display of a finished suite does not need.
if TYPE_CHECKING:
    from mlplab.lab.spec.job import Job
    from mlplab.lab.spec.trial import TrialResult
    from mlplab.training.history import Epoch

#: Seconds between refreshes. Redrawing a terminal takes 2 ms: the lines of thousands of short trials are printed
#: together, and a network that is trained in less time than this is not shown during its training.
_REFRESH_SECONDS = 0.1


class SuiteDisplay:
    """Shows the progress of the suite, every network in training, and the remaining time.

    Args:
        console: the console to print to; None is standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._epochs: dict[str, int] = {}
        self._lines: list[str] = []
        self._printed = -_REFRESH_SECONDS
        self._suite = TaskID(0)
        self._cost: dict[str, float] = {}  # of an epoch, by lineage
        self._total_cost = self._cost_so_far = self._started = 0.0
        self._rows = self._done = self._total = 0

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        self._rows, self._done, self._total = rows, done, total
        self._cost = {job.trials[0].lineage: cost for job, cost in zip(jobs, costs, strict=True)}
        earlier = self._epochs  # the epochs of trainings that were paused
        self._total_cost = sum(
            cost * (job.epochs - earlier.get(job.trials[0].lineage, 0)) for job, cost in zip(jobs, costs, strict=True)
        )
        self._cost_so_far, self._started = 0.0, monotonic()
        if self._console.is_terminal:
            self._progress = Progress(
                # the last column to be cut on a narrow terminal
                MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=7)),
                TextColumn("{task.fields[label]}", table_column=Column(no_wrap=True, min_width=34)),
                TextColumn("{task.description}", table_column=Column(no_wrap=True)),
                console=self._console,
            )
            self._suite = self._progress.add_task("", total=total, completed=done, label="trials")
            self._progress.start()

    def epoch(self, job: Job, epoch: Epoch) -> None:
        lineage = job.trials[0].lineage
        # more than one epoch if the training was resumed from a checkpoint
        self._cost_so_far += self._cost[lineage] * (epoch.epoch - self._epochs.get(lineage, 0))
        self._epochs[lineage] = epoch.epoch
        self._print()
        if self._progress is None or epoch.epoch * epoch.seconds < _REFRESH_SECONDS:
            return
        if lineage not in self._tasks:
            self._tasks[lineage] = self._progress.add_task("", total=job.epochs, label=job.labels[-1])
        text = describe(epoch, self._rows)
        self._progress.update(self._tasks[lineage], completed=epoch.epoch, description=text)
        self._progress.update(self._suite, description=self._remaining_time())

    def trial(self, result: TrialResult) -> None:
        self._done += 1
        outcome = str(result.status)
        if result.val_loss is not None:
            outcome += f"  validation {result.val_loss:.4f} {self._describe_values(result)}"
        elif result.error:
            outcome += f"  {result.error.strip().splitlines()[-1]}"
        left = "" if self._progress else f"  {self._remaining_time()}"
        self._add_line(f"[{self._done}/{self._total}] {result.label}  {outcome}  {result.seconds:.1f} s{left}")
        if self._progress:
            self._progress.update(self._suite, completed=self._done)

    @staticmethod
    def _describe_values(result: TrialResult) -> str:
        """Return the validation metrics of a result that are percentages, as text."""
        shown = (measure.metric for measure in MEASURES if measure.rows == "validation" and measure.metric)
        values = ((metric, getattr(result, metric.column, None)) for metric in shown if metric.in_percent)
        return " ".join(metric.format(value) for metric, value in values if value is not None)

    def job_done(self, job: Job) -> None:
        lineage = job.trials[0].lineage
        # the remaining epochs were skipped, by early stopping for example
        self._cost_so_far += self._cost[lineage] * (job.epochs - self._epochs.get(lineage, 0))
        if self._progress and lineage in self._tasks:
            self._progress.remove_task(self._tasks.pop(lineage))

    def note(self, text: str) -> None:
        self._add_line(text)

    def end(self) -> None:
        self._printed = -_REFRESH_SECONDS
        self._print()
        if self._progress:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()

    def _remaining_time(self) -> str:
        if not self._cost_so_far:
            return ""
        seconds = (monotonic() - self._started) * (self._total_cost - self._cost_so_far) / self._cost_so_far
        return f"{describe_seconds(seconds)} left"

    def _add_line(self, text: str) -> None:
        self._lines.append(text)
        self._print()

    def _print(self) -> None:
        """Print the pending lines, unless a terminal was redrawn a moment ago."""
        if self._lines and not (self._progress and monotonic() - self._printed < _REFRESH_SECONDS):
            # taken first: Ctrl-C may interrupt the printing, and nothing is to be printed twice
            lines, self._lines = self._lines, []
            self._console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
            self._printed = monotonic()
