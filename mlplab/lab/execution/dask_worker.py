"""Training on a worker of a Dask cluster: a slice at a time, in a temporary folder."""

from __future__ import annotations

import socket
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlplab.data import Dataset, split_rows
from mlplab.engine.blas import load_blas
from mlplab.errors import SettingError
from mlplab.lab.execution.training import train_job
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.build import build_engine
from mlplab.training.history import Epoch
from mlplab.training.settings import Settings
from mlplab.version import NUMERICS, __version__

#: A process trains one network at a time, even if a worker has several threads: they would slow each other down.
_training_lock = threading.Lock()


@dataclass(frozen=True)
class TrainingSlice:
    """The result of a slice of a training.

    Attributes:
        payloads: epochs, results of trials and notes, in order.
        folders: the files of every trial that has a result, by trial id and file name.
        checkpoint: the checkpoint from which the training is resumed, or None.
        done: whether the job is done.
    """

    payloads: tuple[Epoch | TrialResult | str, ...]
    folders: dict[str, dict[str, bytes]]
    checkpoint: bytes | None
    done: bool


@dataclass(frozen=True)
class WorkerError:
    """A lack of disk space or memory on a worker, which is not the result of a trial.

    Attributes:
        worker: the address of the worker.
        text: the message of the error.
    """

    worker: str
    text: str


def train_slice(
    job: Job, dataset: Dataset, checkpoint: bytes | None, seconds: float, versions: tuple[str, int]
) -> TrainingSlice | WorkerError:
    """Train a job for a number of seconds, from a checkpoint if there is one.

    Args:
        job: the job.
        dataset: the data set.
        checkpoint: the content of the checkpoint file, or None.
        seconds: the length of the slice, which ends with an epoch.
        versions: the required versions of mlplab and of its numerics. A worker that joined late was not checked
            before.

    Raises:
        SettingError: if this worker has other versions.
    """
    from distributed import get_worker

    if versions != (__version__, NUMERICS):
        raise version_error(f"on {socket.gethostname()}", (__version__, NUMERICS), versions[0])
    try:
        return _train_slice(job, dataset, checkpoint, seconds)
    except (OSError, MemoryError) as error:
        return WorkerError(get_worker().address, str(error) or type(error).__name__)


def _train_slice(job: Job, dataset: Dataset, checkpoint: bytes | None, seconds: float) -> TrainingSlice:
    from threadpoolctl import threadpool_limits

    payloads: list[Epoch | TrialResult | str] = []
    trial = job.trials[-1]
    with _training_lock, tempfile.TemporaryDirectory(prefix="mlplab-") as temporary:
        folder = RunFolder(Path(temporary))
        file = folder.checkpoint(trial.lineage)
        if checkpoint is not None:
            file.parent.mkdir()
            file.write_bytes(checkpoint)
        load_blas()  # the limit below applies only to libraries that are loaded
        with threadpool_limits(1):
            split = split_rows(dataset, trial.split, samples=trial.samples)
            done = train_job(job, dataset, split, folder, payloads.append, seconds, one_slice=True)
        folders = {
            payload.id: {path.name: path.read_bytes() for path in folder.trial(payload.id).iterdir()}
            for payload in payloads
            if isinstance(payload, TrialResult)
        }
        return TrainingSlice(tuple(payloads), folders, file.read_bytes() if file.exists() else None, done)


def worker_versions() -> tuple[str, int, str]:
    """Return the versions that determine the bits of a trial's result: mlplab, its numerics and the engine."""
    return __version__, NUMERICS, build_engine(Settings(), np.float32).identity()


def version_error(worker: str, found: Any, required: str) -> SettingError:
    """Return the error for a worker with other versions, or with an exception instead of versions."""
    described = found if isinstance(found, Exception) else "mlplab {} (numerics {})".format(*found)
    return SettingError(f"the worker {worker} has {described}: install mlplab {required} there, as on this machine")
