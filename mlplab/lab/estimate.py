"""Estimate how long a suite will take, from the measured speed of its networks."""

from __future__ import annotations

from dataclasses import dataclass

from mlplab.data import split_rows
from mlplab.lab.execution.schedule import plan
from mlplab.lab.execution.timing import makespan, seconds_per_epoch
from mlplab.lab.spec.suite import Suite
from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Estimate:
    """What is still to do: trials (each once), networks to train, epochs, and how long on how many processes."""

    suite: str
    trials: int
    done: int
    networks: int
    epochs: int
    jobs: int
    seconds: float


def estimate(suite: Suite, folder: RunFolder, jobs: int) -> Estimate:
    """Measure how long the suite's missing trials will take on that many processes; nothing is written."""
    dataset, suite = suite.source.load(), suite.bind(suite.source.fingerprint())
    rows = folder.rows(suite, suite.labels(dataset))
    todo = plan(rows, dataset)
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
    """What is still to do in a search, the finalists included.

    Attributes:
        tried: configurations by now. first: how many the first round tries. made: epochs by now.
        epochs: left, at most. seconds: that they take on `jobs` processes.
    """

    suite: str
    tried: int
    first: int
    made: int
    epochs: int
    jobs: int
    seconds: float


def estimate_search(suite: Suite, folder: RunFolder, jobs: int) -> SearchEstimate:
    """Measure a few of the configurations that a search would begin with; nothing is written.

    Raises:
        SettingError: for a budget that is not even enough for one round.
        MissingExtraError: without Optuna.
    """
    from mlplab.lab.search.budget import cost_of_finalists, epochs_left, first_round, measure_pace
    from mlplab.lab.search.log import expand_search, read_log

    search = suite.search
    assert search is not None
    dataset, suite = suite.source.load(), suite.bind(suite.source.fingerprint())
    rate = jobs / measure_pace(search, suite, dataset)
    log = read_log(folder, suite)
    first = len(log.rounds[0].proposals) if log.rounds else None
    if first is None:
        _, first = first_round(search, suite, rate, jobs)
    results = {row.trial.id: row.result for row in folder.rows(expand_search(suite, folder), {})}
    made = sum(result.epochs for result in results.values() if result)
    left = max(0, epochs_left(search, suite, made, log.seconds, rate, jobs) + cost_of_finalists(search, suite))
    return SearchEstimate(suite.name, len(log.proposals), first, made, left, jobs, left / rate)
