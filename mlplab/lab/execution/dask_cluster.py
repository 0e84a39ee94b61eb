"""An executor that trains on the workers of a Dask cluster. It needs no shared disk: all data are sent.

The data set is sent to every worker once. A task is a slice of a training that lasts a few seconds: it receives the
last checkpoint and returns all files that it has written. When a worker dies, Dask repeats its slice on another worker,
from the same checkpoint and with bit-identical results.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from mlplab.data import Dataset
from mlplab.errors import MissingExtraError, SettingError, shorten
from mlplab.lab.execution.checkpoints import checkpoint_of, discard_checkpoint
from mlplab.lab.execution.dask_worker import TrainingSlice, WorkerError, train_slice, version_error, worker_versions
from mlplab.lab.execution.executor import Event
from mlplab.lab.spec.job import Job
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.utils.atomic import write_folder_whole, write_whole
from mlplab.version import NUMERICS, __version__

#: The protocols of a scheduler.
_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")
#: How long to wait for the response of a scheduler.
TIMEOUT = "10s"
#: A job is given up when it has lost a slice, together with all workers that held the data, more often than this.
_MAX_LOSSES = 3


@contextmanager
def connected(address: str, note: Callable[[str], object]) -> Iterator[Any]:
    """Connect to a scheduler, check its workers, and yield the client.

    Args:
        address: the address of the scheduler, such as ``tcp://host:8786`` or ``host:8786``, or the scheduler's file.
        note: called with notes for the user.

    Raises:
        MissingExtraError: if Dask is not installed.
        SettingError: if there is no scheduler, or a worker has another version of mlplab.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError(
            "a cluster requires Dask, which is not installed: pip install 'mlplab[cluster]'"
        ) from error
    try:
        url = _address_in(Path(address)) if Path(address).is_file() else address
        if url.partition("://")[0] not in (url, *_PROTOCOLS):  # another protocol would leave a half-initialized client
            raise ValueError(f"an address must begin with one of {', '.join(_PROTOCOLS)}")
        if ":" not in url.rpartition("/")[2]:
            raise ValueError("an address must end with a port, as in tcp://host:8786")
        client = Client(url, set_as_default=False, timeout=TIMEOUT)
    except (OSError, TimeoutError, ValueError) as error:
        raise SettingError(
            f"--scheduler {address}: cannot connect to a Dask scheduler ({shorten(str(error))}); start one with "
            "`dask scheduler`"
        ) from error
    with client:
        if not _threads(client):
            note(f"{address} has no workers yet; waiting for the first one")
            client.wait_for_workers(1)
        _check_workers(client, note)
        yield client


def _address_in(file: Path) -> str:
    """Return the address from a scheduler's file."""
    try:
        return str(json.loads(file.read_bytes())["address"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError("the file was not written by a scheduler") from error


def _threads(client: Any) -> dict[str, int]:
    """Return the number of threads of every worker, by address."""
    return dict(client.nthreads())


def _check_workers(client: Any, note: Callable[[str], object]) -> None:
    *ours, kernel = worker_versions()
    for worker, found in client.run(worker_versions, on_error="return").items():
        if isinstance(found, Exception) or list(found[:2]) != ours:
            raise version_error(worker, found, __version__)
        if found[2] != kernel:
            note(
                f"{worker} has the BLAS kernel {found[2]}, this machine has {kernel}: "
                "results may differ in the last bits"
            )
    for worker, threads in _threads(client).items():
        if threads > 1:
            note(f"{worker} has {threads} threads but trains one network at a time; start it with --nthreads 1")


class DaskCluster:
    """An `Executor` that trains on the workers of a Dask scheduler; events arrive slice by slice.

    A worker that runs out of disk space or memory is no longer used. When no worker is left, `run` raises OSError.

    Args:
        address: the address of the scheduler; see `connected`.
        folder: the run folder, to which only this machine writes.
        checkpoint_seconds: the length of a slice.
        note: called with notes for the user while connecting.
    """

    def __init__(
        self, address: str, folder: RunFolder, checkpoint_seconds: float, note: Callable[[str], object]
    ) -> None:
        self._folder, self._seconds = folder, checkpoint_seconds
        self._connection = connected(address, note)
        self._client: Any = None
        self._dataset: Dataset | None = None
        self._data: Any = None  # the data set on the cluster
        self._losses = Counter[str]()  # by lineage
        self._excluded: set[str] = set()  # the addresses of workers
        self._finished: Any = None  # futures, as they end
        self._running: dict[str, Job] = {}  # by the key of its future
        self._files: dict[str, Path] = {}  # the checkpoint of each running job, by lineage

    def __enter__(self) -> Self:
        self._client = self._connection.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._connection.__exit__(*exception)

    @property
    def slots(self) -> int:
        """The number of workers, but at least 1, because workers may join later."""
        return max(1, len(_threads(self._client)))

    def start(self, count: int) -> None:
        """Do nothing: the workers are running already."""

    def bind(self, dataset: Dataset) -> None:
        """Set the data set that all jobs are trained on."""
        self._dataset = dataset

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Train jobs, started in their order, and yield their events; see `Executor.run`.

        Raises:
            OSError: if the last worker has run out of disk space or memory.
            SettingError: if a worker that has joined later has another version of mlplab.
        """
        from distributed import as_completed

        self._finished, self._running, self._files = as_completed(loop=self._client.loop), {}, {}
        if jobs and self._data is None:
            self._send_data()
        for job in jobs:
            self._submit(job, resumed=False)
        try:
            while self._running:
                yield from self._take_next()
        finally:
            self._finished, self._running = None, {}  # the scheduler cancels futures that nothing refers to

    def _send_data(self) -> None:
        """Send the data to every worker, as soon as there is one."""
        while True:
            self._client.wait_for_workers(1)
            with suppress(TimeoutError):  # the worker has left again
                self._data = self._client.scatter(self._dataset, broadcast=True, hash=False)
                return

    def _submit(self, job: Job, *, resumed: bool) -> None:
        """Submit the next slice of a job; resumed jobs have priority, so that few networks are half trained."""
        lineage = job.trials[-1].lineage
        if not resumed:
            self._files[lineage] = checkpoint_of(job, self._folder)
        file = self._files[lineage]
        checkpoint = file.read_bytes() if file.is_file() else None
        future = self._client.submit(
            train_slice,
            job,
            self._data,
            checkpoint,
            self._seconds,
            (__version__, NUMERICS),
            pure=False,
            priority=int(resumed),
            workers=self._usable_workers() if self._excluded else None,
            allow_other_workers=bool(self._excluded),
        )
        self._running[future.key] = job
        self._finished.add(future)

    def _take_next(self) -> Iterator[Event]:
        """Wait for a slice to end, write its files, yield its events, and submit the next slice of its job."""
        future = next(self._finished)
        job, outcome = self._running.pop(future.key), _outcome(future)
        if outcome is None:
            yield self._submit_again(job)
        elif isinstance(outcome, WorkerError):
            yield self._exclude(outcome, job)
        elif isinstance(outcome, str):
            yield Event(job, None, outcome)
        else:
            self._write(outcome, job)
            yield from (Event(job, payload) for payload in outcome.payloads)
            if outcome.done:
                yield Event(job, None)
            else:
                self._submit(job.without(outcome.folders), resumed=True)

    def _write(self, part: TrainingSlice, job: Job) -> None:
        """Write the files of a slice into the run folder."""
        for trial, files in part.folders.items():
            write_folder_whole(self._folder.trial(trial), partial(_fill, files=files))
        file = self._files[job.trials[-1].lineage]
        if part.checkpoint is not None:
            write_whole(file, partial(Path.write_bytes, data=part.checkpoint))
        if part.done:
            del self._files[job.trials[-1].lineage]
            # the worker has deleted its checkpoint if nothing can be resumed from it
            discard_checkpoint(job, self._folder, file, finished=part.checkpoint is None)

    def _submit_again(self, job: Job) -> Event:
        """Send the data and the slice again, after the last worker that held the data was lost."""
        lineage = job.trials[0].lineage
        self._losses[lineage] += 1
        if self._losses[lineage] > _MAX_LOSSES:
            return Event(job, None, f"all workers were lost {_MAX_LOSSES + 1} times during this training")
        self._send_data()
        self._submit(job, resumed=True)
        return Event(job, "all workers that held the data are gone; sending the data to the next one")

    def _exclude(self, error: WorkerError, job: Job) -> Event:
        self._excluded.add(error.worker)
        if not self._usable_workers():
            raise OSError(f"{error.worker}: {error.text}")
        self._submit(job, resumed=True)
        return Event(job, f"{error.worker}: {error.text}; continuing without this worker")

    def _usable_workers(self) -> list[str]:
        return [worker for worker in _threads(self._client) if worker not in self._excluded]


def _outcome(future: Any) -> TrainingSlice | WorkerError | str | None:
    """Return the result of a task, the message with which its job is given up, or None if the data were lost.

    Raises:
        SettingError: if the worker has another version of mlplab.
    """
    from distributed import CancelledError, KilledWorker

    try:
        outcome: TrainingSlice | WorkerError = future.result()
    except KilledWorker as error:
        return f"too many workers died during this training: {shorten(str(error))}"
    except CancelledError:
        return None
    except SettingError:
        raise
    except Exception as error:  # anything else that fails on a worker, such as a missing package
        return f"{type(error).__name__}: {error}"
    return outcome


def _fill(path: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (path / name).write_bytes(content)
