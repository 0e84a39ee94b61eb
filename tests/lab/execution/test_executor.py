"""What an executor has to do. A tiny one in this process shows that the protocol needs nothing else."""

from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from mlplab import load_suite
from mlplab.data import split_rows
from mlplab.engine.blas import load_blas
from mlplab.lab.execution.dispatch import TrainingContext, train_missing
from mlplab.lab.execution.executor import Event
from mlplab.lab.execution.process_pool import ProcessPool
from mlplab.lab.execution.schedule import missing_jobs
from mlplab.lab.execution.training import train_job
from mlplab.lab.search.driver import run_search
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch
from tests.small_suite import Listening, read_results, read_weights

SEARCH = """
name = "look"
dataset = "digits"
[settings]
max_iter = 4
[search]
epochs = 30
finalists = 1
space.hidden_layer_sizes = { depth = [0, 1], width = [4, 16] }
"""


class InProcess:
    """Trains one network after another in this process."""

    slots = 1

    def __init__(self, folder):
        self._folder = folder

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def start(self, count):
        load_blas()

    def bind(self, dataset):
        self._dataset = dataset

    def run(self, jobs):
        for job in jobs:
            payloads, trial = [], job.trials[-1]
            split = split_rows(self._dataset, trial.split, samples=trial.samples)
            with threadpool_limits(1):
                train_job(job, self._dataset, split, self._folder, payloads.append)
            yield from (Event(job, payload) for payload in payloads)
            yield Event(job, None)


EXECUTORS = [InProcess, lambda folder: ProcessPool(folder, 2, 10.0)]


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.path.mkdir()
    return folder


@pytest.fixture
def small(suite):
    """The small suite with its data and its jobs."""
    bound, dataset = suite.bind(), suite.source.load()
    rows = RunFolder(Path("none")).rows(bound, bound.labels(dataset))
    return bound, dataset, rows, missing_jobs(rows, dataset)


@pytest.mark.parametrize("make", EXECUTORS)
def test_every_executor_gives_the_results_of_a_run(small, finished, folder, make):
    suite, dataset, rows, _ = small
    with make(folder) as executor:
        executor.start(2)
        executor.bind(dataset)
        train_missing(TrainingContext(suite, dataset, folder, executor, Listening()), rows)
    folder.write_results(folder.rows(suite, {}), suite.varying())
    assert read_results(folder.path) == read_results(finished.folder.path)
    assert read_weights(folder.path) == read_weights(finished.folder.path)


@pytest.mark.parametrize("make", EXECUTORS)
def test_the_events_of_a_job_are_complete_and_end_with_none(small, folder, make):
    _, dataset, _, jobs = small
    with make(folder) as executor:
        executor.start(len(jobs))
        executor.bind(dataset)
        events = list(executor.run(jobs))
    assert not folder.data.exists()
    for job in jobs:
        payloads = [event.payload for event in events if event.job == job]
        assert payloads[-1] is None
        assert None not in payloads[:-1]
        assert [p.epoch for p in payloads if isinstance(p, Epoch)] == list(range(1, job.epochs + 1))
        assert [p.id for p in payloads if isinstance(p, TrialResult)] == [trial.id for trial in job.trials]


def test_executors_search_alike(tmp_path):
    file = tmp_path / "look.toml"
    file.write_text(SEARCH)
    suite = load_suite(file).bind()
    tried = []
    for name, make in zip("ab", EXECUTORS, strict=True):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        with make(folder) as executor:
            dataset = suite.source.load()
            executor.bind(dataset)
            run_search(TrainingContext(suite, dataset, folder, executor, Listening()))
        tried.append((read_results(folder.path), read_weights(folder.path)))
    assert tried[0] == tried[1]
    assert len(tried[0][0]) > 3


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A folder with a file for each Python process that starts."""
    processes = tmp_path / "processes"
    processes.mkdir()
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, pathlib\npathlib.Path({str(processes)!r}, str(os.getpid())).touch()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return processes


def test_a_pool_keeps_its_processes_from_run_to_run(small, folder, started):
    _, dataset, _, jobs = small
    with ProcessPool(folder, 2, 10.0) as pool:
        pool.bind(dataset)
        for one in (jobs[:2], jobs[2:]):
            assert sum(event.payload is None for event in pool.run(one)) == 2
    assert len(list(started.iterdir())) == 2


def test_a_pool_starts_no_more_processes_than_jobs(small, folder, started):
    _, dataset, _, jobs = small
    with ProcessPool(folder, 4, 10.0) as pool:
        pool.start(1)
        pool.bind(dataset)
        assert list(pool.run([])) == []
        assert not folder.data.exists()  # nothing was written for no work
        list(pool.run(jobs[:2]))
    assert len(list(started.iterdir())) == 2


def test_an_interrupted_run_leaves_no_events_to_the_next(small, folder):
    _, dataset, _, jobs = small
    with ProcessPool(folder, 2, 10.0) as pool:
        pool.bind(dataset)
        interrupted = pool.run(jobs[:2])
        next(interrupted)
        interrupted.close()
        events = list(pool.run(jobs[2:]))
    assert {event.job.trials[-1].id for event in events} == {job.trials[-1].id for job in jobs[2:]}
