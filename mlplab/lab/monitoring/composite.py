"""An observer that forwards everything to several others, such as the terminal, TensorBoard and MLflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlplab.errors import shorten
from mlplab.lab.monitoring.observer import RunObserver

if TYPE_CHECKING:
    from mlplab.lab.spec.job import Job
    from mlplab.lab.spec.trial import TrialResult
    from mlplab.training.history import Epoch


class CompositeObserver:
    """Forwards everything to a first observer and to others.

    An error of the first observer is raised. Any other observer that raises an error, because its server is down for
    example, is disabled, and the first one receives a note.
    """

    def __init__(self, first: RunObserver, others: Sequence[RunObserver]) -> None:
        self._first, self._others = first, list(others)

    def begin(self, jobs: Sequence[Job], done: int, total: int, rows: int, costs: Sequence[float]) -> None:
        self._broadcast(lambda observer: observer.begin(jobs, done, total, rows, costs))

    def epoch(self, job: Job, epoch: Epoch) -> None:
        self._broadcast(lambda observer: observer.epoch(job, epoch))

    def trial(self, result: TrialResult) -> None:
        self._broadcast(lambda observer: observer.trial(result))

    def job_done(self, job: Job) -> None:
        self._broadcast(lambda observer: observer.job_done(job))

    def note(self, text: str) -> None:
        self._broadcast(lambda observer: observer.note(text))

    def end(self) -> None:
        self._broadcast(lambda observer: observer.end())

    def _broadcast(self, send: Callable[[RunObserver], None]) -> None:
        send(self._first)
        for observer in list(self._others):
            try:
                send(observer)
            except Exception as error:  # no error of an observer may stop the training
                self._others.remove(observer)
                self._first.note(f"{type(observer).__name__} failed and was disabled: {shorten(str(error))}")
