import json
import sys
import types
from typing import ClassVar

import pytest

from mlplab.cli import run as mlplab
from mlplab.errors import MissingExtraError, SettingError
from mlplab.lab.monitoring.composite import CompositeObserver
from mlplab.lab.monitoring.mlflow import MlflowWriter
from mlplab.lab.monitoring.observer import NullObserver, RunObserver
from mlplab.lab.monitoring.tensorboard import TensorBoardWriter
from tests.small_suite import run_suite


class Recording(NullObserver):
    def __init__(self):
        self.heard = []

    def epoch(self, job, epoch):
        self.heard.append((job.labels[-1], epoch.epoch))


def curves_in(folder):
    """Every curve that TensorBoard would show: label, name: step, value."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  (its format is read below)

    found = {}
    for file in folder.rglob("events.*"):
        content, position = file.read_bytes(), 0
        while position < len(content):  # length (8 bytes), its checksum (4), the event, its checksum (4)
            length = int.from_bytes(content[position : position + 8], "little")
            event = Event.FromString(content[position + 12 : position + 12 + length])
            position += 16 + length
            for value in event.summary.value:
                found.setdefault((file.parent.name, value.tag), {})[event.step] = value.simple_value
    return found


def test_tensorboard_shows_the_curves_of_every_network(suite, tmp_path):
    run = run_suite(suite, tmp_path / "out", jobs=1, observer=TensorBoardWriter(tmp_path / "logs"))
    found = curves_in(tmp_path / "logs")
    longest = [row for row in run.rows if row.trial["max_iter"] == 4]
    assert {label for label, _ in found} == {row.label for row in longest}
    for row in longest:
        history = run.folder.read_history(row.trial.id)
        for name, column in (("loss/validation", "val_loss"), ("accuracy/training", "train_accuracy")):
            curve = found[row.label, name]
            assert sorted(curve) == [1, 2, 3, 4]
            assert [curve[step] for step in sorted(curve)] == pytest.approx(history[column], rel=1e-6)


class FakeClient:
    """What of MLflow's client is used, on plain data."""

    runs: ClassVar = {}

    def __init__(self, uri, registry):
        if uri != "sqlite:///here.db":
            raise ValueError("no such\nscheme")

    def get_experiment_by_name(self, name):
        return types.SimpleNamespace(experiment_id=name) if self.runs else None

    def create_experiment(self, name):
        return name

    def search_runs(self, experiments, query):
        assert query.startswith("tags.mlplab_trial = ")
        trial = query.split("'")[1]
        return [self._info(name) for name, r in self.runs.items() if r["tags"]["mlplab_trial"] == trial]

    def create_run(self, experiment, run_name, tags):
        name = f"{experiment} {run_name}"
        assert name not in self.runs
        self.runs[name] = {"tags": dict(tags), "params": {}, "metrics": {}, "status": "RUNNING"}
        return self._info(name)

    def _info(self, name):
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=name))

    def update_run(self, run, status):
        self.runs[run]["status"] = status

    def log_param(self, run, name, value):
        self.runs[run]["params"][name] = value

    def log_metric(self, run, name, value, step):
        self.runs[run]["metrics"].setdefault(name, {})[step] = value

    def set_tag(self, run, name, value):
        self.runs[run]["tags"][name] = value

    def set_terminated(self, run, status="FINISHED"):
        self.runs[run]["status"] = status


@pytest.fixture
def mlflow(monkeypatch):
    monkeypatch.setattr(FakeClient, "runs", {})
    monkeypatch.setitem(sys.modules, "mlflow", types.SimpleNamespace(MlflowClient=FakeClient))
    return FakeClient


def writer():
    return MlflowWriter("sqlite:///here.db", "small")


def test_mlflow_has_settings_curves_and_status_of_every_network(suite, tmp_path, mlflow):
    run = run_suite(suite, tmp_path / "out", jobs=1, observer=writer())
    longest = [row for row in run.rows if row.trial["max_iter"] == 4]
    assert set(mlflow.runs) == {f"small {row.label}" for row in longest}
    for row in longest:
        held = mlflow.runs[f"small {row.label}"]
        history = run.folder.read_history(row.trial.id)
        assert held["status"] == "FINISHED"
        assert held["params"]["learning_rate_init"] == f"{row.trial['learning_rate_init']:g}"
        assert held["params"]["seed"] == "0"
        assert held["metrics"]["accuracy/validation"] == dict(enumerate(history["val_accuracy"], start=1))


def test_mlflow_resumes_runs_and_marks_diverged_ones_as_failed(suite, tmp_path, mlflow):
    one = suite.with_setting("hidden_layer_sizes", (16,)).with_setting("learning_rate_init", 0.05)
    job = types.SimpleNamespace(labels=["mine"], trials=[one.with_setting("max_iter", 4).cells()[0][1]])
    from mlplab.training.history import Epoch

    first = writer()
    first.epoch(job, Epoch(1, 0.5, 0.5))
    first.end()
    assert mlflow.runs["small mine"]["status"] == "KILLED"
    second = writer()
    second.epoch(job, Epoch(2, 0.4, 0.6, 0.3, 0.7))
    assert mlflow.runs["small mine"]["status"] == "RUNNING"
    assert mlflow.runs["small mine"]["metrics"]["loss/training"] == {1: 0.5, 2: 0.4}
    second.trial(types.SimpleNamespace(id=job.trials[0].id, status="diverged", error="it did"))
    assert mlflow.runs["small mine"]["status"] == "FAILED"
    assert mlflow.runs["small mine"]["tags"]["error"] == "it did"
    second.job_done(job)
    assert mlflow.runs["small mine"]["status"] == "FAILED"


def test_an_address_that_does_not_work_is_one_line(mlflow, refuses):
    with refuses(SettingError, "MLflow at nowhere: ", "no such"):
        MlflowWriter("nowhere", "small")


CALLS = {
    "begin": (["job"], 1, 2, 1000, [1.0]),
    "epoch": ("job", "epoch"),
    "trial": ("result",),
    "job_done": ("job",),
    "note": ("text",),
    "end": (),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_composite_passes_every_method_on(name):
    observers, heard = [NullObserver(), NullObserver()], []
    for observer in observers:
        setattr(observer, name, lambda *given: heard.append(given))
    getattr(CompositeObserver(observers[0], observers[1:]), name)(*CALLS[name])
    assert heard == [CALLS[name]] * 2


def test_the_methods_of_an_observer_are_these():
    assert {name for name in vars(RunObserver) if not name.startswith("_")} == CALLS.keys()


def test_a_composite_has_no_other_methods():
    with pytest.raises(AttributeError):
        CompositeObserver(NullObserver(), []).epochs("a typo")


def test_an_observer_that_fails_is_disabled():
    class Away(Recording):
        def epoch(self, job, epoch):
            super().epoch(job, epoch)
            raise ConnectionError("the server is away")

    first, away, last = Recording(), Away(), Recording()
    notes = []
    first.note = notes.append
    several = CompositeObserver(first, [away, last])
    job = types.SimpleNamespace(labels=["a"])
    for k in range(3):
        several.epoch(job, types.SimpleNamespace(epoch=k))
    assert first.heard == last.heard == [("a", 0), ("a", 1), ("a", 2)]
    assert away.heard == [("a", 0)]
    assert notes == ["Away failed and was disabled: 'the server is away'"]


def test_the_command_writes_for_both(suite_file, tmp_path, mlflow, capsys):
    command = ["run", str(suite_file), "--out", str(tmp_path / "out"), "--set", "max_iter=1", "--json"]
    assert mlplab([*command, "--tensorboard", str(tmp_path / "logs"), "--mlflow", "sqlite:///here.db"]) == 0
    assert json.loads(capsys.readouterr().out)["suite"] == "small"
    assert len(mlflow.runs) == len({label for label, _ in curves_in(tmp_path / "logs")}) == 4


@pytest.mark.parametrize(
    ("package", "make", "extra"),
    [("tensorboardX", lambda: TensorBoardWriter("logs"), "tensorboard"), ("mlflow", writer, "mlflow")],
)
def test_without_its_package_each_names_what_to_install(monkeypatch, refuses, package, make, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with refuses(MissingExtraError, f"pip install 'mlplab[{extra}]'"):
        make()
