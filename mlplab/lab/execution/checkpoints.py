"""Where and when the checkpoint of a job is written, and when a training stops to be resumed from it."""

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
    """Return the file that a job is resumed from and that its state is written to.

    It is the file of the lineage. If a longer training has left a checkpoint there that has passed the epochs which
    this job needs, that one is kept for the longer training, and the job has a file of its own.
    """
    file = folder.checkpoint(job.trials[-1].lineage)
    try:
        return file.with_suffix(f".{job.epochs}.safetensors") if _has_gone_too_far(file, job) else file
    except ModelFileError:  # it is damaged, which is reported when the training is resumed
        return file


def forget_checkpoint(job: Job, folder: RunFolder, file: Path, *, finished: bool) -> None:
    """Delete the checkpoint `file` of a job that has ended, unless a longer training can be resumed from it."""
    longest = job.trials[-1]
    if file != folder.checkpoint(longest.lineage) or (finished and longest.lineage == longest.id):
        file.unlink(missing_ok=True)


class Stop(Enum):
    """Why a training stops before its last epoch, to be resumed later."""

    PAUSE = "the search trains others first"
    TIME = "the time of this slice is over"


@dataclass
class StopRule:
    """Decides after which epoch a training stops, to be resumed later from its checkpoint.

    Args:
        last_epoch: the last epoch of the training, after which there is nothing to resume.
        pause_after: the epoch after which the training is paused, or None.
        until: the time, as `perf_counter` gives it, after which the next epoch to end is the last one of this slice.

    Attributes:
        stop: the last decision; None means that the training continues.
    """

    last_epoch: int
    pause_after: int | None = None
    until: float = inf
    stop: Stop | None = None

    def begin(self, epochs: int) -> Stop | None:
        """Decide whether a training that has made so many epochs was paused after them."""
        self.stop = Stop.PAUSE if epochs == self.pause_after else None
        return self.stop

    def after(self, epoch: int) -> Stop | None:
        """Decide whether the training stops after this epoch, which has ended now."""
        is_late = perf_counter() > self.until and epoch < self.last_epoch
        self.stop = Stop.PAUSE if epoch == self.pause_after else Stop.TIME if is_late else None
        return self.stop


@dataclass
class SparingCheckpoint(Checkpoint):
    """A checkpoint that is not written before its seconds have passed, not even at the end: short trainings need none.

    rule: where it stops the training to be resumed later, the checkpoint is written in any case.
    """

    rule: StopRule | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._started = self._written

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        is_resumed = self.rule is not None and self.rule.stop is not None
        if is_resumed or perf_counter() - self._started >= self.seconds:
            super().write(fit, identity, last=last)


def _has_gone_too_far(file: Path, job: Job) -> bool:
    """Return whether a checkpoint has passed the last epoch of a trial of the job, whose result was lost, say."""
    saved = Checkpoint(file).read()
    made = len(saved["state"]["history_"]["records"]) if saved else 0
    first = job.pause_after or job.trials[0]["max_iter"]
    return made > first or (made == first and len(job.trials) > 1)
