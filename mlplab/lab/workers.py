"""The parent's side of the worker processes."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from mlplab.lab.job import Job
from mlplab.lab.store import RunFolder
from mlplab.lab.trial import TrialResult
from mlplab.lab.worker import encode_job
from mlplab.training.history import Epoch


@dataclass(frozen=True)
class Event:
    """What a worker said of its job: an epoch, a trial's result, or None when the job is done.

    `died` is set, with the last words of the process, when it ended without being asked to.
    """

    job: Job
    news: Epoch | TrialResult | None
    died: str | None = None


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[str]
    errors: IO[str]
    job: Job | None = None
    messages: list[str] = field(default_factory=list)

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it died: the end of its output, which is read elsewhere, tells

    def last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return f"worker ended with exit status {self.process.wait()}" + (f": {lines[-1]}" if lines else "")


def run_jobs(jobs: Sequence[Job], count: int, data: dict[str, Any], folder: RunFolder) -> Iterator[Event]:
    """Run the jobs, in their order, on `count` worker processes; yield what they report.

    A worker that dies is replaced; its job is reported with `died` and not tried again. Closing the iterator, or an
    exception such as Ctrl-C, ends the workers.
    """
    waiting, news = deque(jobs), queue.Queue[tuple[_Worker, dict[str, Any] | None]]()
    workers: list[_Worker] = []

    def start() -> None:
        worker = _start(folder, data)
        workers.append(worker)
        threading.Thread(target=_listen, args=(worker, news), daemon=True).start()
        assign(worker)

    def assign(worker: _Worker) -> None:
        worker.job = waiting.popleft() if waiting else None
        if worker.job:
            worker.send(encode_job(worker.job))

    try:
        for _ in range(min(count, len(jobs))):
            start()
        while any(worker.job for worker in workers):
            worker, message = news.get()
            job = worker.job
            if message is None:
                workers.remove(worker)
                if job:
                    yield Event(job, None, died=worker.last_words())
                    if waiting:
                        start()
            elif job:
                yield Event(job, _decode(message))
                if message["kind"] == "idle":
                    assign(worker)
    finally:
        for worker in workers:
            worker.process.kill()  # it has written whole files only
        for worker in workers:
            worker.process.wait()


def _start(folder: RunFolder, data: dict[str, Any]) -> _Worker:
    errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
    # One BLAS thread a worker: as many workers as cores keep them all busy without waiting for one another. The
    # variables are set for the child alone and read when it loads the library.
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlplab.lab.worker", str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
        encoding="utf-8",
    )
    worker = _Worker(process, errors)
    worker.send(data)
    return worker


def _listen(worker: _Worker, news: queue.Queue[tuple[_Worker, dict[str, Any] | None]]) -> None:
    assert worker.process.stdout is not None
    for line in worker.process.stdout:
        news.put((worker, json.loads(line)))
    news.put((worker, None))


def _decode(message: dict[str, Any]) -> Epoch | TrialResult | None:
    kind = message.pop("kind")
    message_kind = {"epoch": Epoch, "trial": TrialResult, "idle": None}[kind]
    news = message_kind(**message) if message_kind else None
    message["kind"] = kind
    return news
