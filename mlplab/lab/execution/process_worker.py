"""A worker process of `ProcessPool`: trains one job after another.

Standard input receives a line of JSON for the data and then one for each job; standard output has a line for every
epoch, trial and job. When the input closes, because the parent has finished or died, the worker ends at once: the files
that it has written are complete, and the next run resumes its job from the last checkpoint.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from mlplab.data import Dataset, Split, split_rows
from mlplab.engine.base import Array
from mlplab.lab.execution.training import train_job
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.trial import Trial, TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch


def save_data(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write a data set to files that all workers map into the same memory; return the message with their paths.

    X is not written again if it is mapped from a file already: it may be larger than memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    X, y = _file_of(dataset.X), folder / "y.npy"
    if X is None:
        X = folder / "X.npy"
        np.save(X, dataset.X)
    np.save(y, dataset.y)
    return {
        "X": str(X),
        "y": str(y),
        "name": dataset.name,
        "scale": dataset.scale,
        "test_rows": dataset.test_rows,
        "feature_names": dataset.feature_names,
    }


def _file_of(X: Array) -> Path | None:
    """Return the .npy file that all of X is mapped from, or None."""
    file = Path(getattr(X, "filename", None) or "")
    if file.suffix != ".npy" or not X.flags.c_contiguous:
        return None
    mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    return file if mapped.flags.c_contiguous and mapped.size == X.size else None


def _open_data(message: dict[str, Any]) -> Dataset:
    X, y = (np.load(message[name], mmap_mode="r", allow_pickle=False) for name in "Xy")
    names = message["feature_names"]
    return Dataset(
        message["name"],
        np.asarray(X).reshape(len(X), -1),
        np.asarray(y),
        message["scale"],
        feature_names=None if names is None else tuple(names),
        test_rows=message["test_rows"],
    )


def encode_job(job: Job) -> dict[str, Any]:
    """Return a job as plain data for JSON."""
    names = [field.name for field in fields(Trial)]
    trials = [{name: getattr(trial, name) for name in names} for trial in job.trials]
    return {"trials": trials, "labels": job.labels, "pause_after": job.pause_after}


def _decode_job(message: dict[str, Any]) -> Job:
    trials = []
    for content in message["trials"]:
        settings = {k: tuple(v) if isinstance(v, list) else v for k, v in content["settings"].items()}
        trials.append(Trial(**{**content, "settings": settings}))
    return Job(tuple(trials), tuple(message["labels"]), message["pause_after"])


def main(run_folder: str) -> None:
    """Train the jobs received on standard input and write their results to a run folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent handles it
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the output of libraries must not mix with the messages
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    messages = iter(sys.stdin)
    first = next(messages, None)
    if first is None:  # there was no work
        return
    message = json.loads(first)
    dataset, seconds = _open_data(message), message["checkpoint_seconds"]
    threading.Thread(target=_receive, args=(messages, jobs), daemon=True).start()
    folder = RunFolder(Path(run_folder))

    @cache
    def split(name: str, samples: int | None) -> Split:
        return split_rows(dataset, name, samples=samples)

    while True:
        job = _decode_job(jobs.get())
        longest = job.trials[-1]
        rows = split(longest.split, longest.samples)
        try:
            train_job(job, dataset, rows, folder, partial(_send, output), seconds)
        except OSError as error:
            _send(output, error)
        _send(output, None)


def _receive(messages: Any, jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    try:
        for line in messages:
            jobs.put(json.loads(line))
    finally:  # also when the last line is incomplete because the parent died
        os._exit(0)


def _send(output: IO[str], event: Epoch | TrialResult | str | OSError | None) -> None:
    """Send an epoch, a result, a note or an OSError, with its kind; None marks the end of the job."""
    if isinstance(event, OSError):
        message: dict[str, Any] = {"kind": "os_error", "text": str(event)}
    elif event is None or isinstance(event, str):
        message = {"kind": "note", "text": event} if event else {"kind": "idle"}
    else:
        message = {"kind": "epoch" if isinstance(event, Epoch) else "trial", **vars(event)}
    try:
        output.write(json.dumps(message) + "\n")
        output.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
