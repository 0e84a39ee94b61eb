"""The protocol of an executor, which trains the networks of a run on this machine or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:  # these import NumPy and SciPy, which worker processes should be started to do at the same time
    from mlplab.data import Dataset
    from mlplab.lab.spec.job import Job
    from mlplab.lab.spec.trial import TrialResult
    from mlplab.training.history import Epoch


@dataclass(frozen=True)
class Event:
    """An event of a job.

    Attributes:
        job: the job.
        payload: an epoch, the result of a trial, a note for the user, or None at the end of the job.
        crash_message: at the end of a job that was given up because its workers crashed, the message of the last one.
    """

    job: Job
    payload: Epoch | TrialResult | str | None
    crash_message: str | None = None


class Executor(Protocol):
    """Trains jobs: on processes of this machine, on a Dask cluster, or elsewhere.

    An executor is a context manager. Its resources, such as a connection or processes, exist from entry (or `start`)
    to exit. It writes the result of a trial to the run folder before it yields the event.

    The order of the calls is: enter, `start`, `bind`, any number of `run`, exit.
    """

    @property
    def slots(self) -> int:
        """The number of networks that are trained at a time; available after entry."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def start(self, count: int) -> None:
        """Prepare to train `count` networks, without waiting: the caller loads the data in the meantime."""

    def bind(self, dataset: Dataset) -> None:
        """Set the data set that all jobs are trained on."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Train jobs, started in their order, and yield their events as they happen.

        The last event of every job has the payload None. Closing the iterator early ends the training.

        Raises:
            OSError: if a disk is full, for example. That is not the result of a trial, and the run cannot continue.
        """
