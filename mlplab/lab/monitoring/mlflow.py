"""An observer that logs to MLflow."""

from __future__ import annotations

from typing import Any

from mlplab.errors import MissingExtraError, SettingError, shorten
from mlplab.lab.monitoring.curves import measures
from mlplab.lab.monitoring.observer import NullObserver
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import TrialResult, describe_value
from mlplab.training.history import Epoch


class MlflowWriter(NullObserver):
    """Logs every network as an MLflow run with its settings, curves and status; requires the extra mlflow.

    A network whose training was interrupted continues in the same MLflow run.

    Args:
        uri: the address of a server, or a database such as "sqlite:///mlflow.db".
        suite: the name of the MLflow experiment.

    Raises:
        MissingExtraError: if the package mlflow is not installed.
        SettingError: if the address does not work.
    """

    def __init__(self, uri: str, suite: str) -> None:
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise MissingExtraError("MLflow is not installed: pip install 'mlplab[mlflow]'") from error
        try:
            self._client = MlflowClient(uri, uri)
            existing = self._client.get_experiment_by_name(suite)
            self._experiment = existing.experiment_id if existing else self._client.create_experiment(suite)
        except Exception as error:  # the type depends on what fails: the address, the server or the connection
            raise SettingError(f"MLflow at {uri}: {shorten(str(error))}") from error
        self._runs: dict[str, str] = {}

    def epoch(self, job: Job, epoch: Epoch) -> None:
        run = self._run_of(job)
        for name, value in measures(epoch).items():
            self._client.log_metric(run, name, value, step=epoch.epoch)

    def job_done(self, job: Job) -> None:
        if run := self._runs.pop(job.trials[-1].id, None):
            self._client.set_terminated(run)

    def trial(self, result: TrialResult) -> None:
        if result.status != Status.DONE and (run := self._runs.pop(result.id, None)):
            self._client.set_tag(run, "error", (result.error or result.status)[-500:])
            self._client.set_terminated(run, "FAILED")

    def end(self) -> None:
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")
        self._runs.clear()

    def _run_of(self, job: Job) -> str:
        trial = job.trials[-1]
        if trial.id not in self._runs:
            existing = self._client.search_runs([self._experiment], f"tags.mlplab_trial = '{trial.id}'")
            if existing:
                self._client.update_run(existing[0].info.run_id, status="RUNNING")
            run = existing[0] if existing else self._begin(job)
            self._runs[trial.id] = run.info.run_id
        return self._runs[trial.id]

    def _begin(self, job: Job) -> Any:
        trial = job.trials[-1]
        run = self._client.create_run(self._experiment, run_name=job.labels[-1], tags={"mlplab_trial": trial.id})
        for name, value in {**trial.settings, "seed": trial.seed}.items():
            self._client.log_param(run.info.run_id, name, describe_value(value))
        return run
