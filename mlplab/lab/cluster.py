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

from mlplab.atomic import write_folder_whole, write_whole
from mlplab.data import Dataset, split_rows
from mlplab.engine.blas import load_blas
from mlplab.errors import MissingExtraError, SettingError, shorten
from mlplab.lab.job import Job, forget_checkpoint, train_job
from mlplab.lab.store import RunFolder
from mlplab.lab.trial import TrialResult
from mlplab.lab.workers import Event
from mlplab.training.history import Epoch
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
class Stretch:
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


def train_stretch(
    job: Job, dataset: Dataset, checkpoint: bytes | None, seconds: float, versions: tuple[str, int]
) -> Stretch:
    """Train for so many seconds, on a worker, in a folder that is gone afterwards.

    Raises:
        SettingError: for other `versions` than this worker's: it came late, and nobody has asked it.
    """
    from threadpoolctl import threadpool_limits

    if versions != (__version__, NUMERICS):
        raise _other_version(f"on {socket.gethostname()}", (__version__, NUMERICS), versions[0])
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
        return Stretch(tuple(news), folders, file.read_bytes() if file.exists() else None, done)


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
    """Run the jobs, in their order, on the workers of a cluster; yield what they report, and write what they bring.

    As `mlplab.lab.workers.Workers.run` in every respect, with news that come in stretches of so many `seconds`.
    """
    from distributed import as_completed

    finished, at_work, losses = as_completed(loop=client.loop), {}, Counter[str]()
    data = _send(dataset, client)

    def submit(job: Job, *, begun: bool) -> None:
        file = folder.checkpoint(job.trials[-1].lineage)
        checkpoint = file.read_bytes() if file.is_file() else None
        # what is begun goes first: fewer half-trained networks lie about
        versions = (__version__, NUMERICS)
        future = client.submit(train_stretch, job, data, checkpoint, seconds, versions, pure=False, priority=int(begun))
        at_work[future.key] = job
        finished.add(future)

    while waiting or at_work:
        while waiting:
            submit(waiting.popleft(), begun=False)
        future = next(finished)
        job = at_work.pop(future.key)
        stretch = _result(future)
        if stretch is None:  # the data are gone with the last worker that held them
            losses[job.trials[0].lineage] += 1
            if losses[job.trials[0].lineage] > _LOSSES:
                yield Event(job, None, "its workers were lost again and again")
                continue
            yield Event(job, "the workers that had the data are gone: the next one gets them anew")
            data = _send(dataset, client)
            submit(job, begun=True)
        elif isinstance(stretch, str):
            yield Event(job, None, stretch)
        else:
            _write(stretch, job, folder)
            for news in stretch.news:
                yield Event(job, news)
            if stretch.done:
                yield Event(job, None)
            else:
                submit(job.without(stretch.folders), begun=True)


def _result(future: Any) -> Stretch | str | None:
    """Return what a task brought, why its job is given up, or None where the data are not on the cluster any more.

    Raises:
        SettingError: for a worker that cannot take part.
    """
    from distributed import CancelledError, KilledWorker

    try:
        stretch: Stretch = future.result()
    except KilledWorker as error:
        return f"too many workers died of it: {shorten(str(error))}"
    except CancelledError:
        return None
    except SettingError:
        raise
    except Exception as error:  # whatever a worker could not do: no memory, no disk, no package
        return f"{type(error).__name__}: {error}"
    return stretch


def _send(dataset: Dataset, client: Any) -> Any:
    """Send the data to every worker, as soon as there is one."""
    while True:
        client.wait_for_workers(1)
        with suppress(TimeoutError):  # it has gone again
            return client.scatter(dataset, broadcast=True, hash=False)


def _write(stretch: Stretch, job: Job, folder: RunFolder) -> None:
    """Write what a stretch brought into the run folder."""
    for trial, files in stretch.folders.items():
        write_folder_whole(folder.trial(trial), partial(_fill, files=files))
    if stretch.checkpoint is not None:
        write_whole(folder.checkpoint(job.trials[-1].lineage), partial(Path.write_bytes, data=stretch.checkpoint))
    elif stretch.done:  # the worker had no more use for it
        forget_checkpoint(job, folder)


def _fill(path: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (path / name).write_bytes(content)
