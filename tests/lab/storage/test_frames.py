import shutil

import pandas
import pytest

from mlplab import load_results
from mlplab.errors import RunFolderError
from tests.earlier import EARLIER


def test_a_row_for_each_trial_and_one_for_each_epoch(finished):
    trials, epochs = load_results(finished.folder.path)
    assert trials["trial"].tolist() == [row.trial.id for row in finished.rows]
    assert trials["val_accuracy"].tolist() == [row.result.val_accuracy for row in finished.rows]
    assert len(epochs) == sum(row.result.epochs for row in {row.trial.id: row for row in finished.rows}.values())
    assert list(epochs)[:4] == ["trial", "label", "seed", "epoch"]
    assert trials["val_brier"].tolist() == [row.result.val_brier for row in finished.rows]
    row = finished.rows[2]
    mine = epochs[epochs["trial"] == row.trial.id]
    assert mine["epoch"].tolist() == [1, 2, 3, 4]
    assert mine["val_loss"].iloc[-1] == row.result.val_loss
    assert mine["label"].unique().tolist() == [row.label]
    # they join
    joined = trials.merge(epochs, on="trial", suffixes=("", "_epoch"))
    assert len(joined) == sum(row.result.epochs for row in finished.rows)


def test_setting_none_stays_a_word_and_missing_numbers_are_nan(finished, tmp_path):
    (tmp_path / "suite.toml").write_bytes(finished.folder.suite_file.read_bytes())
    header = finished.folder.results_file.read_text().splitlines()[0].replace("max_iter", "normalization")
    line = "width,abc,label,0,waiting,16,0.05,none,,,,,,,,"
    (tmp_path / "results.csv").write_text(f"{header}\n{line}\n")
    trials, epochs = load_results(tmp_path)
    assert trials["normalization"].tolist() == ["none"]
    assert trials["val_loss"].isna().all()
    assert epochs.empty


@pytest.mark.parametrize("trial", ["012345678901", "12e456789012", "1234567890.1"])
def test_ids_and_names_that_look_like_numbers_are_texts(finished, tmp_path, trial):
    (tmp_path / "suite.toml").write_bytes(finished.folder.suite_file.read_bytes())
    header = finished.folder.results_file.read_text().splitlines()[0]
    (tmp_path / "results.csv").write_text(f"{header}\n01,{trial},007,0,done,16,0.05,2,1,,,,,0.1,100,\n")
    shutil.copytree(finished.folder.trial(finished.rows[0].trial.id), tmp_path / "trials" / trial)
    trials, epochs = load_results(tmp_path)
    assert trials[["experiment", "trial", "label"]].to_numpy().tolist() == [["01", trial, "007"]]
    assert epochs["trial"].tolist() == [trial] * 2
    assert epochs["label"].tolist() == ["007"] * 2


def test_metrics_not_stored_by_an_earlier_version_are_missing():
    trials, epochs = load_results(EARLIER / "finished")
    assert trials["val_accuracy"].notna().any()
    assert trials["val_brier"].isna().all()
    assert "val_brier" not in epochs


def test_what_is_no_run_folder_is_refused(tmp_path, refuses):
    with refuses(RunFolderError, "not a run folder"):
        load_results(tmp_path)


def test_missing_or_damaged_results_give_a_one_line_error(finished, tmp_path, refuses):
    (tmp_path / "suite.toml").write_bytes(finished.folder.suite_file.read_bytes())
    with refuses(RunFolderError, "has no results yet"):
        load_results(tmp_path)
    for content, what in ((b"", "cannot be read"), (b"\xff\xfe,\n", "cannot be read"), (b"a,b\n1,2\n", "no column")):
        (tmp_path / "results.csv").write_bytes(content)
        with refuses(RunFolderError, "results.csv", what, "run the suite again"):
            load_results(tmp_path)


@pytest.mark.parametrize("kind", ["trials", "epochs"])
def test_they_are_frames_of_pandas(finished, kind):
    frames = dict(zip(("trials", "epochs"), load_results(finished.folder.path), strict=True))
    assert isinstance(frames[kind], pandas.DataFrame)
