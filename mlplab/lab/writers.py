"""What happens in a run, told to other people's tools as it happens: TensorBoard and MLflow.

Each is a `Display` and hears what the one on the terminal hears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from mlplab.errors import MissingExtraError, SettingError, shorten
from mlplab.lab.display import Display, Silent
from mlplab.lab.job import Job
from mlplab.lab.trial import TrialResult, describe_value
from mlplab.training.history import Epoch

#: The curves, by the names under which both tools group them.
_CURVES = {
    "loss/training": "train_loss",
    "loss/validation": "val_loss",
    "accuracy/training": "train_accuracy",
    "accuracy/validation": "val_accuracy",
}


class Several:
    """A display, and others that hear the same; one that fails, for its server is away, say, is told nothing more."""

    def __init__(self, first: Display, others: Sequence[Display]) -> None:
        self._first, self._others = first, list(others)

    def __getattr__(self, method: str) -> Callable[..., None]:
        def tell(*news: Any) -> None:
            getattr(self._first, method)(*news)
            for display in list(self._others):
                try:
                    getattr(display, method)(*news)
                except Exception as error:  # whatever it is: the training must not end with it
                    self._others.remove(display)
                    self._first.note(f"{type(display).__name__} is told nothing more: {shorten(str(error))}")

        return tell


class TensorBoardWriter(Silent):
    """Writes the curves of every network into a folder that TensorBoard shows; needs the extra tensorboard.

    Raises:
        MissingExtraError: without the package tensorboardX.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard's files need tensorboardX, which is not installed: pip install 'mlplab[tensorboard]'"
            ) from error
        self._folder, self._new = Path(folder), SummaryWriter
        self._writers: dict[str, Any] = {}

    def epoch(self, job: Job, epoch: Epoch) -> None:
        label = job.labels[-1]
        if label not in self._writers:
            self._writers[label] = self._new(str(self._folder / label))
        for name, value in _measures(epoch).items():
            self._writers[label].add_scalar(name, value, epoch.epoch)

    def job_done(self, job: Job) -> None:
        if writer := self._writers.pop(job.labels[-1], None):
            writer.close()

    def end(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


class MlflowWriter(Silent):
    """Logs every network as a run of MLflow, its settings, curves and end; needs the extra mlflow.

    A network that is interrupted goes on in the run that it began.

    Args:
        uri: where to, such as "sqlite:///mlflow.db" or a server's address. suite: the name of the experiment.

    Raises:
        MissingExtraError: without the package mlflow.
        SettingError: for an address that does not work.
    """

    def __init__(self, uri: str, suite: str) -> None:
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise MissingExtraError("MLflow is not installed: pip install 'mlplab[mlflow]'") from error
        try:
            self._client = MlflowClient(uri, uri)
            found = self._client.get_experiment_by_name(suite)
            self._experiment = found.experiment_id if found else self._client.create_experiment(suite)
        except Exception as error:  # one of many kinds: of the address, of what is there, of the network
            raise SettingError(f"MLflow at {uri}: {shorten(str(error))}") from error
        self._runs: dict[str, str] = {}

    def epoch(self, job: Job, epoch: Epoch) -> None:
        run = self._run_of(job)
        for name, value in _measures(epoch).items():
            self._client.log_metric(run, name, value, step=epoch.epoch)

    def job_done(self, job: Job) -> None:
        if run := self._runs.pop(job.trials[-1].id, None):
            self._client.set_terminated(run)

    def trial(self, result: TrialResult) -> None:
        if result.status != "done" and (run := self._runs.pop(result.id, None)):
            self._client.set_tag(run, "error", (result.error or result.status)[-500:])
            self._client.set_terminated(run, "FAILED")

    def end(self) -> None:
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")
        self._runs.clear()

    def _run_of(self, job: Job) -> str:
        trial = job.trials[-1]
        if trial.id not in self._runs:
            held = self._client.search_runs([self._experiment], f"tags.mlplab_trial = '{trial.id}'")
            if held:
                self._client.update_run(held[0].info.run_id, status="RUNNING")
            run = held[0] if held else self._begin(job)
            self._runs[trial.id] = run.info.run_id
        return self._runs[trial.id]

    def _begin(self, job: Job) -> Any:
        trial = job.trials[-1]
        run = self._client.create_run(self._experiment, run_name=job.labels[-1], tags={"mlplab_trial": trial.id})
        for name, value in {**trial.settings, "seed": trial.seed}.items():
            self._client.log_param(run.info.run_id, name, describe_value(value))
        return run


def _measures(epoch: Epoch) -> dict[str, float]:
    values = {name: getattr(epoch, column) for name, column in _CURVES.items()}
    return {name: value for name, value in values.items() if isfinite(value)}
