import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlplab import load_dataset
from mlplab.data import split_rows
from mlplab.errors import RunFolderError, SettingError
from mlplab.lab import compare_results, open_run

EARLIER = Path(__file__).parents[1] / "data" / "earlier"


@pytest.fixture
def run(finished):
    return open_run(finished.folder.path)


def test_a_run_holds_what_run_suite_returned(run, finished):
    assert run.rows == finished.rows
    assert [run.suite.name, run.suite.fingerprint] == ["small", finished.suite.fingerprint]
    assert repr(run) == f"<Run small in {finished.folder.path}: 6 done>"
    assert run.failed == []


def test_trials_are_the_rows_of_results_csv(run):
    with run.folder.results_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert run.trials["label"].tolist() == [row["label"] for row in rows]
    assert run.trials["val_accuracy"].tolist() == [float(row["val_accuracy"]) for row in rows]
    assert set(run.epochs["trial"]) == {row["trial"] for row in rows}


def test_the_best_is_that_of_the_conclusion(run):
    highest = max(row.result.val_accuracy for row in run.rows)
    assert run.best.value == run.conclusion.best.value == highest


@pytest.mark.parametrize("by", ["label", "id"])
def test_a_network_is_loaded_by_label_or_id(run, by):
    row = run.rows[0]
    model = run.load(row.label if by == "label" else row.trial.id)
    dataset = load_dataset("digits")
    validation = split_rows(dataset, "random").validation
    right = model.predict(dataset.X[validation]) == dataset.y[validation]
    assert right.mean() == pytest.approx(row.result.val_accuracy)
    found = run.validation_predictions(row.label)
    np.testing.assert_array_equal(found.rows, validation)
    np.testing.assert_array_equal(found.true == found.predicted, right)
    assert run.history(row.label)["val_accuracy"][-1] == row.result.val_accuracy


def test_labels_are_the_notebooks():
    found = open_run(EARLIER / "killed").trials["label"].tolist()
    assert all(re.match(r"\[64(-\d+)*-10\]_iter\d+_lr[\d.]+_reg[\d.]+", label) for label in found if label[0] == "[")
    assert any(label[0] == "[" for label in found)


def test_a_trial_that_is_not_there_names_the_nearest(run, refuses):
    label = run.rows[0].label
    with refuses(SettingError, "has no trial", f"did you mean {label!r}?"):
        run.load(label.replace("iter", "itre"))


def test_loading_a_trial_without_a_network_is_an_error(refuses):
    run = open_run(EARLIER / "search")
    paused = next(row for row in run.rows if row.status == "paused")
    with refuses(RunFolderError, "has no network", "paused"):
        run.load(paused.label)


def test_learning_curves_of_chosen_trials(run):
    labels = [run.rows[0].label, run.rows[1].label]
    figure = run.plot_learning_curves(labels, title="Two widths")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == labels
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), run.history(labels[0])["train_loss"])


def test_figures_by_their_names(run, refuses):
    assert {"samples", "all-trials", "confusion-matrices"} <= set(run.figure_names)
    assert run.figure("all-trials").get_suptitle() == "A small suite"
    with refuses(SettingError, "name must be", "did you mean 'all-trials'?"):
        run.figure("all-trial")


def test_compare_is_compare_results(run):
    assert str(run.compare(experiment="rate")) == str(compare_results(run.folder.path, experiment="rate"))


def test_nothing_is_written_to_open_a_run(finished, tmp_path):
    copy = Path(shutil.copytree(finished.folder.path, tmp_path / "copy"))
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    run = open_run(copy)
    assert run.best
    assert run.trials.shape[0] == 6
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_what_is_no_run_folder_is_refused(tmp_path, refuses):
    with refuses(RunFolderError, "not a run folder" if not (tmp_path / "x").exists() else ""):
        open_run(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_folder_of_a_suite_that_was_not_begun_is_empty(suite, tmp_path):
    run = open_run(tmp_path / "none", suite)
    assert [row.status for row in run.rows] == ["waiting"] * 6
    assert run.conclusion is None
    assert run.best is None


def test_a_run_that_is_not_finished_has_no_conclusion_of_its_own():
    run = open_run(EARLIER / "table")  # whose conclusion was drawn before a trial was lost
    assert [row.status for row in run.rows].count("waiting") == 1
    assert run.conclusion is None
    assert run.best is None


def test_frames_follow_the_trials_not_an_older_results_csv(finished, tmp_path):
    run = open_run(shutil.copytree(finished.folder.path, tmp_path / "copy"))
    run.folder.results_file.unlink()
    assert run.trials["val_accuracy"].tolist() == [row.result.val_accuracy for row in run.rows]
    assert len(run.epochs) == sum(row.result.epochs for row in {row.trial.id: row for row in run.rows}.values())


def test_frames_of_a_search_without_proposals_are_empty(suite, tmp_path):
    run = replace(open_run(tmp_path / "none", suite), rows=())
    assert run.trials.empty
    assert run.epochs.empty
    assert "val_accuracy" in run.epochs
