"""Training on a Dask cluster: no disk is shared, everything travels.

The data go to every worker once. A task is a stretch of one training, so many seconds of it: it is given the last
checkpoint and comes home with what it wrote. When a worker dies, Dask makes its stretch again on another one, from the
same checkpoint, to the same bits.
"""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlplab.data import Dataset, split_rows
from mlplab.engine.blas import load_blas
from mlplab.errors import MissingExtraError, SettingError, shorten
from mlplab.lab.execution.checkpoints import checkpoint_of, forget_checkpoint
from mlplab.lab.execution.process_pool import Event
from mlplab.lab.execution.training import train_job
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch
from mlplab.utils.atomic import write_folder_whole, write_whole
from mlplab.version import NUMERICS, __version__

#: What a scheduler may speak.
_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")
#: How long a scheduler is waited for.
TIMEOUT = "10s"
#: How often a stretch may be lost with all the workers that held the data before its job is given up.
_LOSSES = 3
#: One network at a time in a process, whatever number of threads a worker has: they would disturb one another.
_alone = threading.Lock()


@dataclass(frozen=True)
class TrainingSlice:
    """What a stretch of a training brought.

    Attributes:
        news: epochs, results and notes, in their order.
        folders: the files of every trial that was finished, by id and name.
        checkpoint: from which it goes on, or None.
        done: whether the job is done.
    """

    news: tuple[Epoch | TrialResult | str, ...]
    folders: dict[str, dict[str, bytes]]
    checkpoint: bytes | None
    done: bool


@dataclass(frozen=True)
class WorkerError:
    """What a worker could not do, for want of disk or memory, and its address: no result of a trial."""

    worker: str
    text: str


def train_slice(
    job: Job, dataset: Dataset, checkpoint: bytes | None, seconds: float, versions: tuple[str, int]
) -> TrainingSlice | WorkerError:
    """Train for so many seconds, on a worker, in a folder that is gone afterwards.

    Raises:
        SettingError: for other `versions` than this worker's: it came late, and nobody has asked it.
    """
    from distributed import get_worker

    if versions != (__version__, NUMERICS):
        raise _other_version(f"on {socket.gethostname()}", (__version__, NUMERICS), versions[0])
    try:
        return _train_slice(job, dataset, checkpoint, seconds)
    except (OSError, MemoryError) as error:
        return WorkerError(get_worker().address, str(error) or type(error).__name__)


def _train_slice(job: Job, dataset: Dataset, checkpoint: bytes | None, seconds: float) -> TrainingSlice:
    from threadpoolctl import threadpool_limits

    news: list[Epoch | TrialResult | str] = []
    trial = job.trials[-1]
    with _alone, tempfile.TemporaryDirectory(prefix="mlplab-") as temporary:
        folder = RunFolder(Path(temporary))
        file = folder.checkpoint(trial.lineage)
        if checkpoint is not None:
            file.parent.mkdir()
            file.write_bytes(checkpoint)
        load_blas()  # so that it is there to be limited
        with threadpool_limits(1):
            split = split_rows(dataset, trial.split, samples=trial.samples)
            done = train_job(job, dataset, split, folder, news.append, seconds, stretch=True)
        folders = {
            one.id: {path.name: path.read_bytes() for path in folder.trial(one.id).iterdir()}
            for one in news
            if isinstance(one, TrialResult)
        }
        return TrainingSlice(tuple(news), folders, file.read_bytes() if file.exists() else None, done)


@contextmanager
def connected(address: str, note: Callable[[str], object]) -> Iterator[Any]:
    """Connect to a scheduler, see that its workers can do the work, and yield the client.

    Args:
        address: as in ``tcp://host:8786`` or ``host:8786``, or the scheduler's file.
        note: told in words what somebody should know.

    Raises:
        MissingExtraError: without Dask.
        SettingError: where there is no scheduler, or a worker has another version of mlplab.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError(
            "a cluster needs Dask, which is not installed: pip install 'mlplab[cluster]'"
        ) from error
    try:
        reached = _address_in(Path(address)) if Path(address).is_file() else address
        if reached.partition("://")[0] not in (reached, *_PROTOCOLS):  # for another one a client is left half made
            raise ValueError(f"an address begins with one of {', '.join(_PROTOCOLS)}")
        if ":" not in reached.rpartition("/")[2]:
            raise ValueError("an address ends with a port, as in tcp://host:8786")
        client = Client(reached, set_as_default=False, timeout=TIMEOUT)
    except (OSError, TimeoutError, ValueError) as error:
        raise SettingError(
            f"--scheduler {address}: no Dask scheduler answers there ({shorten(str(error))}); start one with "
            "`dask scheduler`"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            note(f"{address} has no workers yet: waiting for the first")
            client.wait_for_workers(1)
        _check_workers(client, note)
        yield client


def _address_in(file: Path) -> str:
    """Return the address in a scheduler's file."""
    try:
        return str(json.loads(file.read_bytes())["address"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError("the file is not one that a scheduler has written") from error


def _check_workers(client: Any, note: Callable[[str], object]) -> None:
    *ours, kernel = _versions()
    for worker, found in client.run(_versions, on_error="return").items():
        if isinstance(found, Exception) or list(found[:2]) != ours:
            raise _other_version(worker, found, __version__)
        if found[2] != kernel:
            kernels = f"the BLAS kernel {found[2]}, not {kernel} as here"
            note(f"{worker} has {kernels}: its results may differ in their last bits")
    several = {worker: info["nthreads"] for worker, info in client.scheduler_info()["workers"].items()}
    for worker, threads in several.items():
        if threads > 1:
            note(f"{worker} has {threads} threads and trains one network at a time: start it with --nthreads 1")


def _other_version(worker: str, found: Any, wanted: str) -> SettingError:
    theirs = found if isinstance(found, Exception) else "mlplab {} (numerics {})".format(*found)
    return SettingError(f"the worker {worker} has {theirs}: install mlplab {wanted} there, as it is here")


def _versions() -> tuple[str, int, str]:
    """Return what the bits of a result depend on, beside the trial."""
    return __version__, NUMERICS, load_blas().kernel or load_blas().version


def count_workers(client: Any) -> int:
    """Return how many networks the cluster trains at a time."""
    return max(1, len(client.scheduler_info()["workers"]))


def run_on_cluster(
    waiting: deque[Job], client: Any, dataset: Dataset, folder: RunFolder, seconds: float
) -> Iterator[Event]:
    """Run the jobs, in their order, on the workers of a cluster; yield their events, and write their results.

    As `mlplab.lab.execution.process_pool.Workers.run` in every respect, but events arrive in slices of so many
    `seconds`. A worker that lacks disk or memory is left out from then on.

    Raises:
        OSError: what the last worker said that was not left out.
        SettingError: for a worker that cannot take part.
    """
    cluster = _Cluster(client, dataset, folder, seconds)
    while waiting or cluster.at_work:
        while waiting:
            cluster.submit(waiting.popleft(), begun=False)
        yield from cluster.take_next()


class _Cluster:
    """The jobs that are on a cluster, by the keys of their tasks (`at_work`), and what went wrong there."""

    def __init__(self, client: Any, dataset: Dataset, folder: RunFolder, seconds: float) -> None:
        from distributed import as_completed

        self._client, self._dataset, self._folder, self._seconds = client, dataset, folder, seconds
        self._finished = as_completed(loop=client.loop)
        self._data = _send(dataset, client)
        self._losses = Counter[str]()
        self._troubled: set[str] = set()
        self._files: dict[str, Path] = {}  # the checkpoint of each job, by lineage
        self.at_work: dict[str, Job] = {}

    def submit(self, job: Job, *, begun: bool) -> None:
        """Send the next stretch of a job; what is begun goes first: fewer half-trained networks lie about."""
        lineage = job.trials[-1].lineage
        if not begun:
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
            priority=int(begun),
            workers=self._sound_workers() if self._troubled else None,
            allow_other_workers=bool(self._troubled),
        )
        self.at_work[future.key] = job
        self._finished.add(future)

    def take_next(self) -> Iterator[Event]:
        """Wait for a stretch to end, and see to what comes next of its job."""
        future = next(self._finished)
        job, brought = self.at_work.pop(future.key), _result(future)
        if brought is None:
            yield self._send_again(job)
        elif isinstance(brought, WorkerError):
            yield self._leave_out(brought, job)
        elif isinstance(brought, str):
            yield Event(job, None, brought)
        else:
            self._write(brought, job)
            yield from (Event(job, news) for news in brought.news)
            if brought.done:
                yield Event(job, None)
            else:
                self.submit(job.without(brought.folders), begun=True)

    def _write(self, stretch: TrainingSlice, job: Job) -> None:
        """Write what a stretch brought into the run folder."""
        for trial, files in stretch.folders.items():
            write_folder_whole(self._folder.trial(trial), partial(_fill, files=files))
        file = self._files[job.trials[-1].lineage]
        if stretch.checkpoint is not None:
            write_whole(file, partial(Path.write_bytes, data=stretch.checkpoint))
        if stretch.done:
            del self._files[job.trials[-1].lineage]
            # without one, the worker had no more use for it
            forget_checkpoint(job, self._folder, file, finished=stretch.checkpoint is None)

    def _send_again(self, job: Job) -> Event:
        """Send the data, which are gone with the last worker that held them, and the stretch again."""
        lineage = job.trials[0].lineage
        self._losses[lineage] += 1
        if self._losses[lineage] > _LOSSES:
            return Event(job, None, "its workers were lost again and again")
        self._data = _send(self._dataset, self._client)
        self.submit(job, begun=True)
        return Event(job, "the workers that had the data are gone: the next one gets them anew")

    def _leave_out(self, trouble: WorkerError, job: Job) -> Event:
        self._troubled.add(trouble.worker)
        if not self._sound_workers():
            raise OSError(f"{trouble.worker}: {trouble.text}")
        self.submit(job, begun=True)
        return Event(job, f"{trouble.worker}: {trouble.text}; the others go on without it")

    def _sound_workers(self) -> list[str]:
        return [worker for worker in self._client.scheduler_info()["workers"] if worker not in self._troubled]


def _result(future: Any) -> TrainingSlice | WorkerError | str | None:
    """Return what a task brought, why its job is given up, or None where the data are not on the cluster any more.

    Raises:
        SettingError: for a worker that cannot take part.
    """
    from distributed import CancelledError, KilledWorker

    try:
        brought: TrainingSlice | WorkerError = future.result()
    except KilledWorker as error:
        return f"too many workers died of it: {shorten(str(error))}"
    except CancelledError:
        return None
    except SettingError:
        raise
    except Exception as error:  # whatever else a worker could not do: a package is missing, say
        return f"{type(error).__name__}: {error}"
    return brought


def _send(dataset: Dataset, client: Any) -> Any:
    """Send the data to every worker, as soon as there is one."""
    while True:
        client.wait_for_workers(1)
        with suppress(TimeoutError):  # it has gone again
            return client.scatter(dataset, broadcast=True, hash=False)


def _fill(path: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (path / name).write_bytes(content)
