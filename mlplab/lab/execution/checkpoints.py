"""The checkpoint of a job: its file, when it is written, and when a training stops to be resumed from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from mlplab.errors import ModelFileError
from mlplab.lab.spec.job import Job
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.checkpoint import Checkpoint


def checkpoint_of(job: Job, folder: RunFolder) -> Path:
    """Return the checkpoint file of a job.

    It is the file of the lineage. If a longer training has written a checkpoint there that lies beyond the epochs of
    this job, that checkpoint is kept for the longer training, and the job uses a separate file.
    """
    file = folder.checkpoint(job.trials[-1].lineage)
    try:
        return file.with_suffix(f".{job.epochs}.safetensors") if _is_beyond(file, job) else file
    except ModelFileError:  # the file is damaged, which is reported when the training is resumed
        return file


def discard_checkpoint(job: Job, folder: RunFolder, file: Path, *, finished: bool) -> None:
    """Delete the checkpoint `file` of a job that has ended, unless a longer training can be resumed from it.

    Args:
        job: the job.
        folder: the run folder.
        file: the checkpoint; see `checkpoint_of`.
        finished: whether the job was trained to its end.
    """
    longest = job.trials[-1]
    if file != folder.checkpoint(longest.lineage) or (finished and longest.lineage == longest.id):
        file.unlink(missing_ok=True)


class Stop(Enum):
    """The reason why a training stops before its last epoch, to be resumed later."""

    PAUSE = "the search pauses the trial"
    TIME = "the time slice is over"


@dataclass
class StopRule:
    """Decides after which epoch a training stops, to be resumed later from its checkpoint.

    Args:
        last_epoch: the last epoch of the training, after which there is nothing to resume.
        pause_after: the epoch after which the training is paused, or None.
        until: the time, on the clock of `perf_counter`, after which the training stops at the end of the epoch.

    Attributes:
        stop: the latest decision; None means that the training continues.
    """

    last_epoch: int
    pause_after: int | None = None
    until: float = inf
    stop: Stop | None = None

    def begin(self, epochs: int) -> Stop | None:
        """Decide whether a training that resumes after so many epochs had been paused there."""
        self.stop = Stop.PAUSE if epochs == self.pause_after else None
        return self.stop

    def after(self, epoch: int) -> Stop | None:
        """Decide whether the training stops after this epoch, which has just ended."""
        is_late = perf_counter() > self.until and epoch < self.last_epoch
        self.stop = Stop.PAUSE if epoch == self.pause_after else Stop.TIME if is_late else None
        return self.stop


@dataclass
class SparingCheckpoint(Checkpoint):
    """A checkpoint that is not written in the first `seconds` of a training, not even at its end: it is not worth it.

    Attributes:
        rule: if it stops the training, to be resumed later, the checkpoint is written in any case.
    """

    rule: StopRule | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._started = self._written

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        is_resumed = self.rule is not None and self.rule.stop is not None
        if is_resumed or perf_counter() - self._started >= self.seconds:
            super().write(fit, identity, last=last)


def _is_beyond(file: Path, job: Job) -> bool:
    """Return whether a checkpoint lies beyond the end of a trial of the job, whose result was lost for example."""
    saved = Checkpoint(file).read()
    epochs = len(saved["state"]["history_"]["records"]) if saved else 0
    first = job.pause_after or job.trials[0]["max_iter"]
    return epochs > first or (epochs == first and len(job.trials) > 1)
