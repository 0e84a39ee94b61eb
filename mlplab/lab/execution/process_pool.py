"""An executor that trains in processes on this machine: the parent process."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from mlplab.lab.execution.executor import Event
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch

if TYPE_CHECKING:  # these take a second to import: the workers are started first, and import them at the same time
    from mlplab.data import Dataset
    from mlplab.lab.spec.job import Job

#: A job is given up when this many workers have crashed on it.
_MAX_CRASHES = 3


class _Worker:
    """A process, its current job, and a thread that puts its messages into a queue; None is put when it ends."""

    def __init__(self, folder: RunFolder, messages: Messages) -> None:
        self.job: Job | None = None
        self._has_data = False
        # closed in `end`
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        # One BLAS thread per worker: with as many workers as cores, all cores are busy and no thread waits for another.
        # The variables are set only for the child process, which reads them when it loads the library.
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlplab.lab.execution.process_worker", str(folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(_import_folders())},
            text=True,
            encoding="utf-8",
        )
        self._listener = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()

    def assign(self, job: Job, data: dict[str, Any]) -> None:
        """Send the worker a job, and the data before its first job."""
        from mlplab.lab.execution.process_worker import encode_job

        self.job = job
        if not self._has_data:
            self._send(data)
            self._has_data = True
        self._send(encode_job(job))

    def end(self) -> str:
        """End the process, if it has not ended, and return its exit status and last error line.

        All files that the worker has written are complete.
        """
        self._process.kill()
        status = self._process.wait()
        self._listener.join()
        with self._errors, self._pipe(self._process.stdout), suppress(BrokenPipeError), self._pipe(self._process.stdin):
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
        return f"worker ended with exit status {status}" + (f": {lines[-1]}" if lines else "")

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # the process has ended, which the listener detects
            pipe = self._pipe(self._process.stdin)
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

    def _listen(self, messages: Messages) -> None:
        try:
            for line in self._pipe(self._process.stdout):
                with suppress(json.JSONDecodeError):  # printed by a library before the worker redirected the output
                    messages.put((self, json.loads(line)))
        finally:
            messages.put((self, None))

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def _import_folders() -> list[str]:
    """Return the folders that this process imports from; the current one only if it was given as an absolute path.

    A file in the current folder may have the name of a module, such as queue.py. mlplab itself may have been imported
    from there, so its own folder is added at the end.
    """
    here, own = Path.cwd().resolve(), Path(__file__).parents[3]
    given = [path for path in map(Path, sys.path) if path.is_absolute() or path.resolve() != here]
    return [str(path.absolute()) for path in (*given, own)]


#: A worker and its message, None when its process has ended.
Messages = queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]


class ProcessPool:
    """An `Executor` of processes on this machine, each of which trains one network at a time on one core.

    A process takes a second for its imports, so call `start` before loading the data.

    A worker that crashes is replaced, and another worker resumes its job from the last checkpoint. A job on which three
    workers have crashed is given up.

    Args:
        folder: the run folder, to which all processes write.
        slots: the number of processes.
        checkpoint_seconds: the time between two checkpoints of a training.
    """

    def __init__(self, folder: RunFolder, slots: int, checkpoint_seconds: float) -> None:
        self.slots = slots
        self._folder, self._checkpoint_seconds = folder, checkpoint_seconds
        self._dataset: Dataset | None = None
        self._data: dict[str, Any] | None = None  # the first message to every worker
        self._messages: Messages = queue.SimpleQueue()
        self._workers: set[_Worker] = set()
        self._crashes = Counter[str]()  # by lineage

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end_workers()
        shutil.rmtree(self._folder.data, ignore_errors=True)

    def start(self, count: int) -> None:
        """Start processes until there are `count` of them, but not more than there are slots."""
        while len(self._workers) < min(count, self.slots):
            self._workers.add(_Worker(self._folder, self._messages))

    def bind(self, dataset: Dataset) -> None:
        """Set the data set that all jobs are trained on."""
        self._dataset = dataset

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Train jobs, started in their order, and yield their events; see `Executor.run`."""
        waiting = deque(jobs)
        try:
            while True:
                self._assign(waiting)
                if not any(worker.job for worker in self._workers):
                    return
                worker, message = self._messages.get()
                job = worker.job
                if message is None:
                    self._workers.remove(worker)
                    crash_message = worker.end()
                    if job:
                        yield self._resubmit(job, crash_message, waiting)
                elif job:
                    yield Event(job, _decode(message))
                    if message["kind"] == "idle":
                        worker.job = None
        finally:
            if any(worker.job for worker in self._workers):  # interrupted: their messages must not reach the next run
                self._end_workers()

    def _assign(self, waiting: deque[Job]) -> None:
        """Assign jobs to the workers that have none."""
        busy = sum(worker.job is not None for worker in self._workers)
        self.start(busy + len(waiting))
        for worker in [worker for worker in self._workers if worker.job is None][: len(waiting)]:
            worker.assign(waiting.popleft(), self._shared_data())

    def _shared_data(self) -> dict[str, Any]:
        """Write the data set, once, to files that all workers map; return the message with their paths."""
        from mlplab.lab.execution.process_worker import save_data

        if self._data is None:
            assert self._dataset is not None
            saved = save_data(self._dataset, self._folder.data)
            self._data = {**saved, "checkpoint_seconds": self._checkpoint_seconds}
        return self._data

    def _resubmit(self, job: Job, crash_message: str, waiting: deque[Job]) -> Event:
        """Put the job of a worker that crashed at the front of the queue, or give it up."""
        lineage = job.trials[0].lineage
        self._crashes[lineage] += 1
        if self._crashes[lineage] >= _MAX_CRASHES:
            return Event(job, None, crash_message)
        finished = {trial.id for trial in job.trials[:-1] if _is_finished(self._folder, trial.id)}
        waiting.appendleft(job.without(finished))
        return Event(job, f"{crash_message}, while training {job.labels[-1]}: another worker resumes it")

    def _end_workers(self) -> None:
        while self._workers:
            self._workers.pop().end()
        self._messages = queue.SimpleQueue()  # discards their last messages


def _is_finished(folder: RunFolder, trial_id: str) -> bool:
    result = folder.read_result(trial_id)
    return result is not None and result.status == Status.DONE


def _decode(message: dict[str, Any]) -> Epoch | TrialResult | str | None:
    """Return the payload of a worker's message.

    Raises:
        OSError: if the worker reported one.
    """
    if message["kind"] == "note":
        return str(message["text"])
    if message["kind"] == "os_error":
        raise OSError(message["text"])
    kinds = {"epoch": Epoch, "trial": TrialResult}
    fields = {name: value for name, value in message.items() if name != "kind"}
    return kinds[message["kind"]](**fields) if fields else None
