"""Where and when the checkpoint of a job is written."""

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


@dataclass
class SparingCheckpoint(Checkpoint):
    """A checkpoint that is not written before its seconds have passed, not even at the end: short trainings need none.

    will_resume: whether the training will be resumed from here; then the checkpoint is written in any case.
    """

    will_resume: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._started = self._written

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        if self.will_resume() or perf_counter() - self._started >= self.seconds:
            super().write(fit, identity, last=last)


def _has_gone_too_far(file: Path, job: Job) -> bool:
    """Return whether a checkpoint has passed the last epoch of a trial of the job, whose result was lost, say."""
    saved = Checkpoint(file).read()
    made = len(saved["state"]["history_"]["records"]) if saved else 0
    first = job.pause_after or job.trials[0]["max_iter"]
    return made > first or (made == first and len(job.trials) > 1)
