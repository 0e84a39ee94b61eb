"""Where the checkpoint of a job is written, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from mlplab.errors import ModelFileError
from mlplab.lab.spec.job import Job
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.checkpoint import Checkpoint


def checkpoint_of(job: Job, folder: RunFolder) -> Path:
    """Return the file that the training of a job goes on from, and that its state is written to.

    It is that of its lineage. But where a longer training has left one there that has gone too far, it stays for that
    training, and the job has a file of its own.
    """
    file = folder.checkpoint(job.trials[-1].lineage)
    try:
        return file.with_suffix(f".{job.epochs}.safetensors") if _has_gone_too_far(file, job) else file
    except ModelFileError:  # it is damaged: whoever goes on from there will say so
        return file


def forget_checkpoint(job: Job, folder: RunFolder, file: Path, *, finished: bool) -> None:
    """Delete the state of a training that has ended, `file`, if nothing can go on from there."""
    longest = job.trials[-1]
    if file != folder.checkpoint(longest.lineage) or (finished and longest.lineage == longest.id):
        file.unlink(missing_ok=True)


@dataclass
class SparingCheckpoint(Checkpoint):
    """Writes nothing before its seconds have passed, not even at the end: what is quickly made is made again.

    going_on: whether the training will go on from here; then it is written in any case.
    """

    going_on: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._begun = self._written

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        if self.going_on() or perf_counter() - self._begun >= self.seconds:
            super().write(fit, identity, last=last)


def _has_gone_too_far(file: Path, job: Job) -> bool:
    """Return whether a checkpoint has left behind what a trial of the job needs to see: one that got lost, say."""
    saved = Checkpoint(file).read()
    made = len(saved["state"]["history_"]["records"]) if saved else 0
    first = job.pause_after or job.trials[0]["max_iter"]
    return made > first or (made == first and len(job.trials) > 1)
