"""Estimate how long a suite will take, from the measured speed of its networks."""

from __future__ import annotations

from dataclasses import dataclass

from mlplab.data import split_rows
from mlplab.lab.execution.schedule import missing_jobs
from mlplab.lab.execution.timing import makespan, seconds_per_epoch
from mlplab.lab.spec.suite import Suite
from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Estimate:
    """The work that a suite still needs.

    Attributes:
        suite: the name of the suite.
        trials: the number of trials of the suite, each counted once.
        done: the number of finished trials.
        networks: the number of networks to train.
        epochs: the total number of epochs to train.
        jobs: the number of processes.
        seconds: the estimated time on these processes.
    """

    suite: str
    trials: int
    done: int
    networks: int
    epochs: int
    jobs: int
    seconds: float


def estimate(suite: Suite, folder: RunFolder, jobs: int) -> Estimate:
    """Return the work that a suite still needs, with an estimate of its time from short trainings; write nothing."""
    dataset, suite = suite.source.load(), suite.bind(suite.source.fingerprint())
    rows = folder.rows(suite, suite.labels(dataset))
    todo = missing_jobs(rows, dataset)
    seconds = seconds_per_epoch(todo, dataset, split_rows(dataset, suite.split, 0, suite.samples))
    trials = {row.trial.id: row for row in rows}
    return Estimate(
        suite=suite.name,
        trials=len(trials),
        done=sum(not row.unfinished for row in trials.values()),
        networks=len(todo),
        epochs=sum(job.epochs for job in todo),
        jobs=jobs,
        seconds=makespan([job.epochs * s for job, s in zip(todo, seconds, strict=True)], jobs),
    )


@dataclass(frozen=True)
class SearchEstimate:
    """The work that a search still needs, its finalists included.

    Attributes:
        suite: the name of the suite.
        tried: the number of configurations tried so far.
        first: the number of configurations of the first round.
        made: the number of epochs trained so far.
        epochs: the largest number of epochs left to train.
        jobs: the number of processes.
        seconds: the estimated time on these processes.
    """

    suite: str
    tried: int
    first: int
    made: int
    epochs: int
    jobs: int
    seconds: float


def estimate_search(suite: Suite, folder: RunFolder, jobs: int) -> SearchEstimate:
    """Return the work that a search still needs, timed on a few of its first configurations; write nothing.

    Raises:
        SettingError: if the budget does not suffice for one round.
        MissingExtraError: if Optuna is not installed.
    """
    from mlplab.lab.search.budget import Budget, measure_pace
    from mlplab.lab.search.log import expand_search, read_log

    dataset, suite = suite.source.load(), suite.bind(suite.source.fingerprint())
    budget, rate = Budget.of(suite, jobs), jobs / measure_pace(suite, dataset)
    log = read_log(folder, suite)
    if log.rounds:
        first = len(log.rounds[0].proposals)
    else:
        planned = budget.plan_round(0, rate=rate)
        assert planned
        _, first = planned
    results = {row.trial.id: row.result for row in folder.rows(expand_search(suite, folder), {})}
    made = sum(result.epochs for result in results.values() if result)
    left = max(0, budget.epochs_left(spent=made, seconds=log.seconds, rate=rate) + budget.finalist_epochs)
    return SearchEstimate(suite.name, len(log.proposals), first, made, left, jobs, left / rate)
