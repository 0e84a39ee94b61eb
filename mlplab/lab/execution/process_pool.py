"""The parent's side of the worker processes."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch

if TYPE_CHECKING:  # what a job needs takes a second to import, which workers can use to do the same
    from mlplab.lab.spec.job import Job


@dataclass(frozen=True)
class Event:
    """A message of a worker about its job.

    Attributes:
        payload: an epoch, a trial's result, a note, or None when the job is done.
        crash_message: the last words of the process, where it ended by itself and the job is given up.
    """

    job: Job
    payload: Epoch | TrialResult | str | None
    crash_message: str | None = None


class _Worker:
    """A process, what it is at (`job`), and a thread that puts what it says into `news`; None means that it ended."""

    def __init__(self, folder: RunFolder, news: News) -> None:
        self.job: Job | None = None
        self._has_data = False
        # closed in `end`
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        # One BLAS thread a worker: as many workers as cores keep them all busy without waiting for one another. The
        # variables are set for the child alone, which reads them when it loads the library.
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
        self._listener = threading.Thread(target=self._listen, args=(news,), daemon=True)
        self._listener.start()

    def assign(self, job: Job, data: dict[str, Any]) -> None:
        from mlplab.lab.execution.process_worker import encode_job

        self.job = job
        if not self._has_data:
            self._send(data)
            self._has_data = True
        self._send(encode_job(job))

    def end(self) -> str:
        """End the process, if it has not ended, and return its last words. All that it has written is whole."""
        self._process.kill()
        status = self._process.wait()
        self._listener.join()
        with self._errors, self._pipe(self._process.stdout), suppress(BrokenPipeError), self._pipe(self._process.stdin):
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
        return f"worker ended with exit status {status}" + (f": {lines[-1]}" if lines else "")

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # it died: the end of its output tells
            pipe = self._pipe(self._process.stdin)
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

    def _listen(self, news: News) -> None:
        try:
            for line in self._pipe(self._process.stdout):
                with suppress(json.JSONDecodeError):  # what something printed before the worker could prevent it
                    news.put((self, json.loads(line)))
        finally:
            news.put((self, None))

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def _import_folders() -> list[str]:
    """Return the folders that this process imports from, the current one only where it was named in full.

    A user's file there may be called queue.py. mlplab itself may have been found there: its own folder comes last.
    """
    here, own = Path.cwd().resolve(), Path(__file__).parents[3]
    given = [path for path in map(Path, sys.path) if path.is_absolute() or path.resolve() != here]
    return [str(path.absolute()) for path in (*given, own)]


#: How many workers may die of a job.
_CRASHES = 3
#: Which worker said what; None when its process ended.
News = queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]


class Workers:
    """Worker processes of a run folder; leaving the block ends them.

    `start` may be called long before there is work: a process takes a second to import what it needs.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._news: News = queue.SimpleQueue()
        self._workers: set[_Worker] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._workers:
            self._workers.pop().end()
        self._news = queue.SimpleQueue()  # what they said last is for nobody

    def start(self, count: int) -> None:
        """Start processes, until there are so many."""
        while len(self._workers) < count:
            self._workers.add(_Worker(self._folder, self._news))

    def run(self, waiting: deque[Job], count: int, data: dict[str, Any]) -> Iterator[Event]:
        """Run the jobs, in their order, on `count` processes; yield what they report.

        More jobs may be put in while it is at work.

        A worker that dies is replaced, and its job given to another, which goes on where a checkpoint stands; a job
        that crashed `_CRASHES` of them is reported with `crash_message` and given up. When the work is done, or the
        iterator closed, the processes end.

        Raises:
            OSError: what the disk said to a worker: it is full, say, and there is no use in going on.
        """
        deaths = Counter[str]()
        with self:
            while True:
                self._give(waiting, count, data)
                if not any(worker.job for worker in self._workers):
                    return
                worker, message = self._news.get()
                job = worker.job
                if message is None:
                    self._workers.remove(worker)
                    died = worker.end()
                    if job:
                        yield self._replace(job, died, deaths, waiting)
                elif job:
                    yield Event(job, _decode(message))
                    if message["kind"] == "idle":
                        worker.job = None

    def _give(self, waiting: deque[Job], count: int, data: dict[str, Any]) -> None:
        """Give jobs to those who have none."""
        busy = sum(worker.job is not None for worker in self._workers)
        self.start(min(count, busy + len(waiting)))
        for worker in [worker for worker in self._workers if worker.job is None][: len(waiting)]:
            worker.assign(waiting.popleft(), data)

    def _replace(self, job: Job, died: str, deaths: Counter[str], waiting: deque[Job]) -> Event:
        """Put the job of a worker that died in again, or give it up."""
        lineage = job.trials[0].lineage
        deaths[lineage] += 1
        if deaths[lineage] >= _CRASHES:
            return Event(job, None, died)
        finished = {trial.id for trial in job.trials[:-1] if _is_finished(self._folder, trial.id)}
        waiting.appendleft(job.without(finished))
        return Event(job, f"{died}, at work on {job.labels[-1]}: another one takes it over")


def _is_finished(folder: RunFolder, trial_id: str) -> bool:
    result = folder.read_result(trial_id)
    return result is not None and result.status == Status.DONE


def _decode(message: dict[str, Any]) -> Epoch | TrialResult | str | None:
    if message["kind"] == "note":
        return str(message["text"])
    if message["kind"] == "trouble":
        raise OSError(message["text"])
    kinds = {"epoch": Epoch, "trial": TrialResult}
    fields = {name: value for name, value in message.items() if name != "kind"}
    return kinds[message["kind"]](**fields) if fields else None
