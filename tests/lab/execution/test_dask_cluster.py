"""A real scheduler and real workers, each a process of its own as it would be on another machine."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest

from mlplab import load_suite
from mlplab.cli import run as mlplab
from mlplab.errors import MissingExtraError, SettingError
from mlplab.lab.execution.dask_cluster import connected
from mlplab.lab.monitoring.observer import NullObserver
from tests.small_suite import read_results, read_weights, run_suite

SUITE = """
name = "far"
dataset = "digits"
[settings]
solver = "adam"
batch_size = 20
dropout = 0.2
max_iter = 12
[[experiment]]
name = "width"
grid.hidden_layer_sizes = [[64], [32], [16]]
[[experiment]]
name = "longer"
settings.hidden_layer_sizes = [64]
grid.max_iter = [24, 36]
"""


class Cluster:
    """A scheduler and workers that can be killed."""

    def __init__(self, folder: Path):
        self.file, self._folder, self.workers = folder / "scheduler.json", folder, []
        self._scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1")

    def add_worker(self, *options: str, environment=None) -> subprocess.Popen:
        where = ["--local-directory", str(self._folder), "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
        self.workers.append(self._start("worker", *where, *(options or ["--nthreads", "1"]), environment=environment))
        return self.workers[-1]

    def _start(self, *arguments: str, environment=None) -> subprocess.Popen:
        command = [sys.executable, "-W", "ignore", "-m", "dask", *arguments, "--scheduler-file", str(self.file)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env={**os.environ, **(environment or {})}, **quiet)

    def end(self) -> None:
        for process in [*self.workers, self._scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    pytest.importorskip("distributed")
    started = Cluster(tmp_path)
    until = monotonic() + 60
    while not started.file.exists() and monotonic() < until:
        sleep(0.05)
    yield started
    started.end()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "far.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def here(file, tmp_path_factory):
    """The same suite on this machine."""
    return run_suite(file, tmp_path_factory.mktemp("here") / "out", jobs=2)


class Killer(NullObserver):
    """Kills a process after some epochs."""

    def __init__(self, process, after):
        self._process, self._after, self.epochs, self.notes = process, after, [], []

    def epoch(self, job, epoch):
        self.epochs.append((job.trials[-1].lineage, epoch.epoch))
        if len(self.epochs) == self._after:
            self._process.kill()

    def note(self, text):
        self.notes.append(text)


def test_killing_a_worker_changes_no_result(cluster, file, here, tmp_path):
    first, _ = cluster.add_worker(), cluster.add_worker()
    display = Killer(first, after=6)
    # every epoch is a slice of its own, with its events and a checkpoint
    far = run_suite(file, tmp_path / "out", scheduler=str(cluster.file), observer=display, checkpoint_seconds=0.001)
    assert first.poll() is not None
    assert not far.failed
    assert read_results(far.folder.path) == read_results(here.folder.path)
    assert read_weights(far.folder.path) == read_weights(here.folder.path)
    # no epoch is reported twice: a crash costs only the slice that it ended, which was not reported
    assert len(display.epochs) == len(set(display.epochs)) == 36 + 12 + 12


def test_an_interrupted_run_resumes_from_its_checkpoints(cluster, file, here, tmp_path):
    cluster.add_worker()

    class Enough(Killer):
        def epoch(self, job, epoch):
            super().epoch(job, epoch)
            if len(self.epochs) == 10:
                raise KeyboardInterrupt

    first, second = Enough(None, -1), Killer(None, -1)
    options = {"scheduler": str(cluster.file), "checkpoint_seconds": 0.001}
    with pytest.raises(KeyboardInterrupt):
        run_suite(file, tmp_path / "out", observer=first, **options)
    run_suite(file, tmp_path / "out", observer=second, **options)
    assert not set(first.epochs) & set(second.epochs)
    assert read_weights(tmp_path / "out") == read_weights(here.folder.path)


def test_after_the_last_worker_died_the_data_are_sent_again(cluster, file, here, tmp_path):
    only = cluster.add_worker()

    class Replaced(Killer):
        def epoch(self, job, epoch):
            super().epoch(job, epoch)
            if len(self.epochs) == self._after:
                only.wait()
                cluster.add_worker()

    options = {"scheduler": str(cluster.file), "checkpoint_seconds": 0.001}
    run_suite(file, tmp_path / "out", observer=Replaced(only, after=5), **options)
    assert read_weights(tmp_path / "out") == read_weights(here.folder.path)


def test_a_shorter_training_keeps_the_checkpoint_of_a_longer_one(cluster, file, tmp_path):
    cluster.add_worker()
    options = {"scheduler": str(cluster.file), "checkpoint_seconds": 0.001}
    longer, shorter = (load_suite(file).with_setting("max_iter", epochs) for epochs in (30, 10))
    longer = replace(longer, experiments=longer.experiments[:1])
    run_suite(longer, tmp_path / "out", jobs=2, checkpoint_seconds=0.001)
    left = {path.name: path.read_bytes() for path in (tmp_path / "out" / "checkpoints").iterdir()}
    assert len(left) == 3
    shorter = replace(shorter, experiments=shorter.experiments[:1])
    far = run_suite(shorter, tmp_path / "out", **options)
    assert far.trained == 3
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "checkpoints").iterdir()} == left
    near = run_suite(shorter, tmp_path / "near", jobs=2)
    mine = read_weights(tmp_path / "out")
    assert {trial: mine[trial] for trial in read_weights(near.folder.path)} == read_weights(near.folder.path)


def test_a_search_finds_the_same_on_a_cluster(cluster, tmp_path):
    text = SUITE[: SUITE.index("[[experiment]]")].replace("max_iter = 12", "max_iter = 9")
    text += "[search]\nepochs = 60\nfinalists = 1\nspace.hidden_layer_sizes = { depth = [1, 2], width = [4, 16] }\n"
    (tmp_path / "look.toml").write_text(text)
    cluster.add_worker()
    far = run_suite(tmp_path / "look.toml", tmp_path / "far", scheduler=str(cluster.file))
    near = run_suite(tmp_path / "look.toml", tmp_path / "near", jobs=2)
    assert read_results(far.folder.path) == read_results(near.folder.path)
    assert read_weights(far.folder.path) == read_weights(near.folder.path)


def test_a_late_worker_with_threads_is_noted(cluster, file, tmp_path):
    display = Killer(None, -1)
    real = display.note

    def note(text):
        real(text)
        if "no workers yet" in text:
            cluster.add_worker("--nthreads", "2")

    display.note = note
    suite = load_suite(file).with_setting("max_iter", 1)
    run_suite(suite, tmp_path / "out", scheduler=str(cluster.file), observer=display)
    assert "no workers yet; waiting for the first" in display.notes[0]
    assert "has 2 threads but trains one network at a time; start it with --nthreads 1" in display.notes[1]


def _raising(error, folder):
    """Return the environment of a worker that raises an error instead of training."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import tempfile\n"
        "class Impossible(tempfile.TemporaryDirectory):\n"
        "    def __init__(self, *a, prefix=None, **k):\n"
        f"        if prefix == 'mlplab-': raise {error}\n"
        "        super().__init__(*a, prefix=prefix, **k)\n"
        "tempfile.TemporaryDirectory = Impossible\n"
    )
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def no_room(tmp_path):
    return _raising("OSError(28, 'No space left on device')", tmp_path / "bad")


def test_a_full_disk_of_the_only_worker_ends_the_run(cluster, file, no_room, tmp_path):
    cluster.add_worker(environment=no_room)
    suite = load_suite(file).with_setting("max_iter", 1)
    with pytest.raises(OSError, match=r"tcp://127.0.0.1:\d+: .*No space left on device"):
        run_suite(suite, tmp_path / "out", scheduler=str(cluster.file))
    outcome = run_suite(suite, tmp_path / "out", jobs=1)
    assert not outcome.failed
    assert outcome.trained == 3  # nothing was written as failed


def test_a_worker_with_a_full_disk_is_excluded(cluster, file, here, no_room, tmp_path):
    cluster.add_worker(environment=no_room)
    cluster.add_worker()
    with connected(str(cluster.file), print) as client:
        client.wait_for_workers(2, timeout=60)
    display, options = Killer(None, -1), {"scheduler": str(cluster.file), "checkpoint_seconds": 0.001}
    far = run_suite(file, tmp_path / "out", observer=display, **options)  # so many slices that both get some
    assert not far.failed
    assert read_weights(far.folder.path) == read_weights(here.folder.path)
    assert any("No space left on device; continuing without this worker" in note for note in display.notes)


def test_any_other_error_of_a_worker_fails_the_trial(cluster, file, tmp_path):
    cluster.add_worker(environment=_raising("RuntimeError('a broken installation')", tmp_path / "bad"))
    suite = load_suite(file).with_setting("max_iter", 1)
    outcome = run_suite(suite, tmp_path / "out", scheduler=str(cluster.file))
    assert {row.status for row in outcome.rows} == {"failed"}
    held = json.loads((outcome.folder.trial(outcome.rows[0].trial.id) / "trial.json").read_text())
    assert "a broken installation" in held["error"]
    assert not run_suite(suite, tmp_path / "out", jobs=1).failed


def test_a_worker_with_another_version_is_refused(cluster, file, tmp_path, monkeypatch):
    cluster.add_worker()
    monkeypatch.setattr("mlplab.lab.execution.dask_worker.NUMERICS", -1)
    with pytest.raises(
        SettingError, match=r"the worker tcp.* has mlplab .*: install mlplab .* there, as on this machine"
    ):
        run_suite(file, tmp_path / "out", scheduler=str(cluster.file))


def test_a_worker_with_another_blas_kernel_is_noted(cluster, file, tmp_path, monkeypatch):
    cluster.add_worker()
    monkeypatch.setattr("mlplab.engine.numpy_engine.NumpyEngine.identity", lambda engine: "Other")
    display = Killer(None, -1)
    suite = load_suite(file).with_setting("max_iter", 1)
    run_suite(suite, tmp_path / "out", scheduler=str(cluster.file), observer=display)
    assert any("this machine has Other: results may differ in the last bits" in note for note in display.notes)


def test_an_address_without_a_scheduler_is_refused(tmp_path, file, monkeypatch, capsys):
    pytest.importorskip("distributed")
    monkeypatch.setattr("mlplab.lab.execution.dask_cluster.TIMEOUT", "1s")
    assert mlplab(["run", str(file), "--out", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "cannot connect to a Dask scheduler" in message
    assert "`dask scheduler`" in message
    assert mlplab(["run", str(file), "--out", str(tmp_path / "out"), "--scheduler", "no address"]) == 2
    assert "must end with a port" in capsys.readouterr().err


def test_jobs_and_scheduler_exclude_each_other(file, capsys):
    assert mlplab(["run", str(file), "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "--jobs cannot be combined with --scheduler" in capsys.readouterr().err


def test_without_dask_the_error_names_the_extra(file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mlplab\[cluster\]'"):
        run_suite(file, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
