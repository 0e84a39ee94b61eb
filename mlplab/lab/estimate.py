"""How long a suite will take: a few steps of every kind of network, measured, and multiplied."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from mlplab.data import Dataset, Split, split_rows
from mlplab.engine.blas import load_blas
from mlplab.errors import DivergenceError
from mlplab.lab.job import Job
from mlplab.lab.scheduler import make_labels, plan
from mlplab.lab.store import RunFolder
from mlplab.lab.suite import Suite

#: Training rows of a trial run: enough steps for a steady pace, few enough to wait for.
_ROWS = 2000
#: Configurations of a search that are measured.
_MEASURED = 8


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
    dataset, fingerprint = suite.source.load(), suite.source.fingerprint()
    rows = folder.rows(suite, fingerprint, make_labels(suite, fingerprint, dataset))
    todo = plan(rows, dataset)
    seconds = _seconds_per_epoch(todo, dataset, split_rows(dataset, suite.split, 0, suite.samples))
    trials = {row.trial.id: row for row in rows}
    return Estimate(
        suite=suite.name,
        trials=len(trials),
        done=sum(not row.unfinished for row in trials.values()),
        networks=len(todo),
        epochs=sum(job.epochs for job in todo),
        jobs=jobs,
        seconds=_makespan([job.epochs * s for job, s in zip(todo, seconds, strict=True)], jobs),
    )


@dataclass(frozen=True)
class SearchEstimate:
    """What is still to do in a search, the finalists included.

    Attributes:
        tried: configurations by now. first: how many the first round tries. made: epochs by now.
        epochs: left, None where the budget is in minutes alone. seconds: left, on `jobs` processes.
    """

    suite: str
    tried: int
    first: int
    made: int
    epochs: int | None
    jobs: int
    seconds: float


def estimate_search(suite: Suite, folder: RunFolder, jobs: int) -> SearchEstimate:
    """Measure a few of the configurations that a search would begin with; nothing is written.

    Raises:
        SettingError: for a budget that is not even enough for one round.
        MissingExtraError: without Optuna.
    """
    from mlplab.lab.search.log import read_log, trial_of, with_findings
    from mlplab.lab.search.proposals import propose
    from mlplab.lab.search.run import first_round

    search = suite.search
    assert search is not None
    _, size = first_round(search, suite)
    dataset, fingerprint = suite.source.load(), suite.source.fingerprint()
    log = read_log(folder, suite)
    results = {row.trial.id: row.result for row in folder.rows(with_findings(suite, folder), fingerprint, {})}
    made = sum(result.epochs for result in results.values() if result)
    left = None if search.epochs is None else max(0, search.epochs - made)
    seconds = 60 * search.minutes - log.seconds if search.minutes else float("inf")
    if left is not None:
        trials = [trial_of(proposal, suite, fingerprint) for proposal in propose(search, [], 0, min(size, _MEASURED))]
        sample = [Job((trial,), (trial.id,)) for trial in trials]
        pace = float(np.mean(_seconds_per_epoch(sample, dataset, split_rows(dataset, suite.split, 0, suite.samples))))
        seconds = min(seconds, left * pace / jobs)
    return SearchEstimate(suite.name, len(log.proposals), size, made, left, jobs, max(0.0, seconds))


def _seconds_per_epoch(jobs: Sequence[Job], dataset: Dataset, split: Split) -> list[float]:
    """Return the seconds of an epoch of each job, measured once for each kind of network."""
    share = min(1.0, _ROWS / len(split.train))
    train, validation = (rows[: max(1, round(share * len(rows)))] for rows in (split.train, split.validation))
    data, measured = _with_every_class(dataset, train), {}
    kinds = []
    for job in jobs:
        longest = job.trials[-1]
        kind = repr(
            [longest[name] for name in ("hidden_layer_sizes", "activation", "solver", "momentum", "batch_size")]
        )
        kinds.append(kind)
        if kind not in measured:
            estimator = job.estimator(dataset).set_params(max_iter=3)
            load_blas()  # the limit holds for libraries that are there
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    estimator.fit(*data, X_val=dataset.X[validation], y_val=dataset.y[validation])
                    measured[kind] = float(np.median(estimator.history_["seconds"])) / share
                except DivergenceError:
                    measured[kind] = 0.0
    return [measured[kind] for kind in kinds]


def _with_every_class(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a few rows whose labels are dealt out anew, so that even few rows hold every class: only time matters."""
    return dataset.X[rows], np.resize(dataset.classes, len(rows))


def _makespan(durations: Sequence[float], jobs: int) -> float:
    """Return when the last of `jobs` processes ends, each taking the next job when it is free."""
    ends = [0.0] * jobs
    for duration in durations:
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)
