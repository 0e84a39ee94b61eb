import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import mlplab
from mlplab import NeuralNetworkClassifier, load_dataset, load_model, load_suite
from mlplab.data import split_rows
from mlplab.errors import DataError, RunFolderError, SettingError
from mlplab.lab import runner
from mlplab.lab.execution import process_pool
from mlplab.lab.spec.parsing import read_settings
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import METRICS
from mlplab.training import build
from tests.small_suite import Listening, read_results, run_suite

LINUX = Path("/proc/self/task").exists()


def test_a_finished_run_holds_every_file(finished):
    path = finished.folder.path
    assert len(read_results(path)) == 6
    assert {row.status for row in finished.rows} == {"done"}
    for row in finished.rows:
        names = {file.name for file in finished.folder.trial(row.trial.id).iterdir()}
        assert names == {"trial.json", "history.csv", "model.safetensors", "validation_predictions.npz"}
    assert {file.name for file in path.iterdir()} == {
        "suite.toml", "results.csv", "conclusion.json", "conclusion.md", "chosen_predictions.npz", "trials", ".lock",
        ".seals.json"
    }  # fmt: skip


def test_results_are_what_the_classifier_gives_on_its_own(finished):
    dataset = load_dataset("digits")
    row = finished.rows[0]
    split = split_rows(dataset, "random", seed=0)
    model = NeuralNetworkClassifier(
        (16,), solver="sgd", learning_rate_init=0.05, max_iter=2, tol=None, random_state=0, input_scale=dataset.scale
    ).fit(
        dataset.X[split.train],
        dataset.y[split.train],
        X_val=dataset.X[split.validation],
        y_val=dataset.y[split.validation],
    )
    # the worker computes with one BLAS thread, this process with as many as it likes: the same up to rounding
    assert row.result.val_loss == pytest.approx(model.history_["val_loss"][-1], rel=1e-5)
    assert row.result.train_loss == pytest.approx(model.history_["train_loss"][-1], rel=1e-5)
    kept = load_model(finished.folder.trial(row.trial.id) / "model.safetensors")
    assert kept.max_iter == 2
    np.testing.assert_allclose(kept.coefs_[0], model.coefs_[0], rtol=1e-4, atol=1e-6)
    found = finished.folder.read_predictions(row.trial.id)
    np.testing.assert_array_equal(found.rows, split.validation)
    np.testing.assert_array_equal(dataset.classes[found.true], dataset.y[split.validation])
    np.testing.assert_array_equal(dataset.classes[found.predicted], kept.predict(dataset.X[split.validation]))
    assert found.probabilities.dtype == np.float32
    np.testing.assert_array_equal(found.probabilities, kept.predict_proba(dataset.X[split.validation]))
    assert found.value(METRICS["accuracy"]) == pytest.approx(row.result.val_accuracy)
    assert found.value(METRICS["brier"]) == pytest.approx(row.result.val_brier, rel=1e-6)
    assert row.result.val_brier == pytest.approx(model.history_["val_brier"][-1], rel=1e-5)


def test_a_shared_training_equals_training_the_short_trial_alone(finished, suite, tmp_path):
    alone = replace(suite, experiments=suite.experiments[:1])
    run = run_suite(alone, tmp_path / "alone", jobs=1)
    for mine, shared in zip(run.rows, finished.rows[:2], strict=True):
        assert mine.trial.id == shared.trial.id
        assert replace(mine.result, seconds=0) == replace(shared.result, seconds=0)
        files = [run.folder.trial(mine.trial.id), finished.folder.trial(mine.trial.id)]
        models = [load_model(folder / "model.safetensors") for folder in files]
        for a, b in zip(models[0].coefs_, models[1].coefs_, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_number_of_processes_changes_nothing(finished, suite, tmp_path):
    run_suite(suite, tmp_path / "one", jobs=1)
    assert read_results(tmp_path / "one") == read_results(finished.folder.path)


def test_a_finished_suite_is_neither_trained_nor_tested_again(suite, finished, tmp_path, monkeypatch):
    before = finished.folder.conclusion_json.read_text()
    monkeypatch.setattr(runner, "_train", lambda *_: pytest.fail("trained again"))
    assert run_suite(suite, finished.folder.path).trained == 0
    assert finished.folder.conclusion_json.read_text() == before


def test_only_new_cells_of_a_grid_are_trained(suite, tmp_path):
    first = run_suite(replace(suite, experiments=suite.experiments[:1]), tmp_path / "grow", jobs=1)
    assert first.trained == 2
    assert run_suite(suite, tmp_path / "grow", jobs=2).trained == 4


def test_another_suite_in_the_folder_is_refused(suite, finished):
    with pytest.raises(RunFolderError, match="with name 'small', not 'other'"):
        run_suite(replace(suite, name="other"), finished.folder.path)


@pytest.mark.parametrize("change", [{"samples": 300}, {"split": "exercise6"}])
def test_the_same_suite_on_other_rows_is_refused_in_the_folder(suite, finished, change):
    before = finished.folder.results_file.read_bytes()
    with pytest.raises((RunFolderError, DataError)):
        run_suite(replace(suite, **change), finished.folder.path)
    assert finished.folder.results_file.read_bytes() == before


def test_a_folder_with_other_files_is_refused_and_left_unchanged(suite, tmp_path):
    (tmp_path / "results.csv").write_text("mine")
    with pytest.raises(RunFolderError, match=r"is not empty and not a run folder \(it contains 'results.csv'\)"):
        run_suite(suite, tmp_path)
    assert (tmp_path / "results.csv").read_text() == "mine"


def test_a_folder_whose_first_write_was_interrupted_is_used(suite, tmp_path):
    one = replace(suite, experiments=suite.experiments[:1])
    for name in (".lock", ".DS_Store", ".suite.toml.0123456789abcdef.toml.unfinished"):
        (tmp_path / name).write_text("")
    assert run_suite(one, tmp_path, jobs=1).trained == 2
    assert not list(tmp_path.glob("*.unfinished"))


def test_the_text_counts_the_test_evaluation_of_another_winner(suite, tmp_path):
    small = suite.with_setting("hidden_layer_sizes", (1,))
    first = run_suite(small, tmp_path / "out", jobs=1)
    one = json.loads(first.folder.conclusion_json.read_text())
    second = run_suite(suite.with_setting("hidden_layer_sizes", (32,)), tmp_path / "out", jobs=1)
    two = json.loads(second.folder.conclusion_json.read_text())
    assert [opening["trial"] for opening in two["test_evaluations"]] == [
        one["winner"]["test"]["trial"],
        two["winner"]["test"]["trial"],
    ]
    assert "opened for 2 configurations" in second.folder.conclusion_md.read_text()
    again = json.loads(run_suite(small, tmp_path / "out", jobs=1).folder.conclusion_json.read_text())
    assert again["winner"]["test"] == one["winner"]["test"]
    assert len(again["test_evaluations"]) == 2


def test_labels_that_only_the_test_rows_hold_count_as_wrong(suite, tmp_path):
    run = run_suite(replace(suite, samples=10, experiments=suite.experiments[:1]), tmp_path / "out", jobs=1)
    facts = json.loads(run.folder.conclusion_json.read_text())
    dataset = load_dataset("digits")
    test = split_rows(dataset, "random", samples=10).test
    model = load_model(run.folder.trial(facts["winner"]["test"]["trial"]) / "model.safetensors")
    assert len(model.classes_) < 10
    assert facts["winner"]["test"]["right"] == (model.predict(dataset.X[test]) == dataset.y[test]).sum()


def test_models_of_a_table_keep_the_names_of_its_columns(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(60, 2))]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *rows]))
    path = tmp_path / "table.toml"
    path.write_text('name = "table"\ndataset = "t.csv"\ntarget = "label"\n[[experiment]]\nname = "e"\n')
    run = run_suite(load_suite(path).with_setting("max_iter", 2), tmp_path / "out", jobs=1)
    model = load_model(run.folder.trial(run.rows[0].trial.id) / "model.safetensors")
    assert model.feature_names_in_.tolist() == ["a", "b"]


def test_what_something_else_prints_in_a_worker_harms_nothing(suite, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('hello')")
    monkeypatch.syspath_prepend(tmp_path)
    run = run_suite(replace(suite, experiments=suite.experiments[:1]), tmp_path / "out", jobs=1)
    assert {row.status for row in run.rows} == {"done"}


@pytest.mark.parametrize("entry", ["", ".", "unrelated"])
def test_workers_import_nothing_from_the_current_directory(suite, tmp_path, monkeypatch, entry):
    (tmp_path / "queue.py").write_text("raise RuntimeError('imported the file of a user')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, entry])
    run = run_suite(replace(suite, experiments=suite.experiments[:1]), "out", jobs=1)
    assert {row.status for row in run.rows} == {"done"}


def test_workers_find_mlplab_where_this_process_found_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "beside", str(tmp_path.parent)])
    assert process_pool._import_folders() == [
        str(tmp_path / "beside"), str(tmp_path.parent), str(Path(mlplab.__file__).parents[1])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (
            "activation",
            ("relu", "tanh"),
            "activation must be one or a list with one for each of the 1 hidden layers; got 2",
        ),
        ("solver", "lbfgs", "without noise, dropout or batch normalization"),
    ],
)
def test_an_impossible_configuration_is_refused_before_any_write(suite, tmp_path, refuses, setting, value, message):
    wrong = replace(suite.experiments[1], settings={setting: value, "dropout": 0.1})
    mixed = replace(suite, experiments=(suite.experiments[0], wrong))
    with refuses(SettingError, "experiment 'rate': ", message):
        run_suite(mixed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("metric", "message"), [("brier", "cannot choose"), ("acuracy", "did you mean 'accuracy'")])
def test_a_metric_that_cannot_choose_is_refused_before_any_write(suite, tmp_path, refuses, metric, message):
    with refuses(SettingError, "metric", message):
        run_suite(replace(suite, metric=metric), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_configuration_is_checked_once_whatever_its_seeds(suite, monkeypatch):
    built, check = [], build.check_parts
    monkeypatch.setattr(build, "check_parts", lambda settings, task: (built.append(settings), check(settings, task)))
    runner._load(replace(suite, seeds=1000))
    assert len(built) == 2 + 4


def test_a_folder_in_use_is_refused(suite, tmp_path):
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / ".lock"),
        pytest.raises(RunFolderError, match="is in use by another mlplab process"),
    ):
        run_suite(suite, tmp_path / "out")


def test_the_folder_is_locked_until_its_figures_are_drawn(suite, finished, tmp_path, monkeypatch):
    out, seen = shutil.copytree(finished.folder.path, tmp_path / "out"), []

    def come_in_between(run, load):
        with pytest.raises(RunFolderError, match="is in use by another mlplab process"):
            run_suite(suite, out)
        seen.append(run)

    monkeypatch.setattr(runner, "draw_missing_figures", come_in_between)
    assert [run_suite(suite, out, figures=True)] == seen
    run_suite(suite, out)


def test_run_suite_leaves_what_the_command_leaves(suite_file, finished, tmp_path):
    out = shutil.copytree(finished.folder.path, tmp_path / "out")
    run = run_suite(suite_file, out, figures=True)
    drawn = {path.stem for path in (out / "figures").glob("*.png")}
    assert drawn == {*run.figure_names} == {path.stem for path in (out / "figures").glob("*.svg")}
    before = {path.name: path.stat().st_mtime_ns for path in (out / "figures").iterdir()}
    run_suite(suite_file, out, figures=True)  # which show these results already
    assert {path.name: path.stat().st_mtime_ns for path in (out / "figures").iterdir()} == before


def test_trials_another_run_finished_meanwhile_are_not_retrained(suite, finished, tmp_path, monkeypatch):
    """One that came into the folder after this one was started and had it before this one."""
    out, locked = tmp_path / "out", RunFolder.locked

    @contextmanager
    def slowly(folder):
        if not out.exists():
            shutil.copytree(finished.folder.path, out)
        with locked(folder):
            yield

    monkeypatch.setattr(RunFolder, "locked", slowly)
    monkeypatch.setattr(runner, "_train", lambda *_: pytest.fail("trained again"))
    assert run_suite(suite, out).trained == 0


def test_half_written_files_are_removed_from_a_finished_folder(suite, finished, tmp_path):
    out = Path(shutil.copytree(finished.folder.path, tmp_path / "out"))
    for folder in (out, out / "figures", out / "trials", out / "checkpoints"):
        folder.mkdir(exist_ok=True)
        (folder / ".x.png.0123456789abcdef.png.unfinished").write_text("half")
    assert run_suite(suite, out).trained == 0
    assert not list(out.rglob("*.unfinished"))


def test_a_diverging_trial_is_recorded_and_the_others_continue(suite, tmp_path):
    wild = suite.with_setting("learning_rate_init", 1e30)
    tame = replace(suite.experiments[0], name="tame")
    mixed = replace(suite, experiments=(replace(wild.experiments[0], settings={"learning_rate_init": 1e30}), tame))
    run = run_suite(mixed, tmp_path / "wild", jobs=1)
    assert [row.status for row in run.rows] == ["diverged"] * 2 + ["done"] * 2
    assert "stopped being finite in epoch" in run.rows[0].result.error
    assert not run.failed
    text = run.folder.conclusion_md.read_text()
    assert "diverged" in text
    assert run_suite(mixed, tmp_path / "wild").trained == 0


def test_a_trial_whose_code_fails_keeps_its_traceback(suite, tmp_path):
    # a batch larger than the data warns; with warnings as errors in the worker, that is a failure of the trial
    broken = suite.with_setting("batch_size", 10**6)
    os.environ["PYTHONWARNINGS"] = "error:batch_size"
    try:
        run = run_suite(broken, tmp_path / "out", jobs=1)
    finally:
        del os.environ["PYTHONWARNINGS"]
    assert {row.status for row in run.failed} == {"failed"}
    held = json.loads((run.folder.trial(run.rows[0].trial.id) / "trial.json").read_text())
    assert "Traceback" in held["error"]
    assert "No trial was trained to its end" in run.folder.conclusion_md.read_text()


def test_an_infinite_setting_ends_well_and_is_read_back(suite, tmp_path):
    endless = suite.with_setting("n_iter_no_change", inf)
    run = run_suite(replace(endless, experiments=endless.experiments[:1]), tmp_path / "out", jobs=1)
    assert {row.status for row in run.rows} == {"done"}
    assert run.folder.suite().settings["n_iter_no_change"] == inf
    trial = run.folder.trial(run.rows[0].trial.id)
    held = json.loads((trial / "trial.json").read_text(), parse_constant=pytest.fail)  # NaN or Infinity
    assert read_settings(held["settings"], "")["n_iter_no_change"] == inf
    assert load_model(trial / "model.safetensors").n_iter_no_change == inf


def test_a_trial_with_damaged_or_missing_files_is_trained_again(suite, tmp_path):
    run = run_suite(suite, tmp_path / "out", jobs=2)
    expected = read_results(tmp_path / "out")
    folder = run.folder.trial(run.rows[0].trial.id)
    (folder / "trial.json").write_text('{"id": "trunc')
    (run.folder.trial(run.rows[5].trial.id) / "model.safetensors").unlink()
    assert run_suite(suite, tmp_path / "out", jobs=2).trained == 2
    assert read_results(tmp_path / "out") == expected


def test_changed_data_are_reported(tmp_path):
    rows = [f"{k % 7},{k % 5},{'yes' if k % 2 else 'no'}" for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *rows]))
    path = tmp_path / "table.toml"
    path.write_text(
        'name = "table"\ndataset = "t.csv"\ntarget = "label"\nsettings.max_iter = 1\n[[experiment]]\nname = "e"\n'
    )
    first, second = Listening(), Listening()
    run_suite(path, tmp_path / "out", jobs=1, observer=first)
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *rows[1:]]))
    run_suite(path, tmp_path / "out", jobs=1, observer=second)
    assert any("has changed since the last run; training every network again" in note for note in second.notes)
    assert not any("has changed" in note for note in first.notes)
