"""An observer that writes curves for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlplab.errors import MissingExtraError
from mlplab.lab.monitoring.curves import measures
from mlplab.lab.monitoring.observer import NullObserver
from mlplab.lab.spec.job import Job
from mlplab.training.history import Epoch


class TensorBoardWriter(NullObserver):
    """Writes the curves of every network to a folder for TensorBoard; requires the extra tensorboard.

    Args:
        folder: TensorBoard's log directory; each network has a folder in it.

    Raises:
        MissingExtraError: if the package tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard logs require tensorboardX, which is not installed: pip install 'mlplab[tensorboard]'"
            ) from error
        self._folder, self._make_writer = Path(folder), SummaryWriter
        self._writers: dict[str, Any] = {}

    def epoch(self, job: Job, epoch: Epoch) -> None:
        label = job.labels[-1]
        if label not in self._writers:
            self._writers[label] = self._make_writer(str(self._folder / label))
        for name, value in measures(epoch).items():
            self._writers[label].add_scalar(name, value, epoch.epoch)

    def job_done(self, job: Job) -> None:
        if writer := self._writers.pop(job.labels[-1], None):
            writer.close()

    def end(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
