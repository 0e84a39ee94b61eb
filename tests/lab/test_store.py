import csv

import pytest

from mlplab import load_suite
from mlplab.errors import RunFolderError
from mlplab.lab.store import RunFolder
from mlplab.training.history import COLUMNS


def test_results_have_a_row_for_each_trial_of_each_experiment_in_the_order_of_the_suite(finished):
    with finished.folder.results_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "experiment", "trial", "label", "seed", "status", "hidden_layer_sizes", "learning_rate_init", "max_iter",
        "epochs", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds", "parameters",
    ]  # fmt: skip
    assert [row["experiment"] for row in rows] == ["width"] * 2 + ["rate"] * 4
    for row, held in zip(rows, finished.rows, strict=True):
        assert float(row["val_loss"]) == held.result.val_loss


def test_a_history_reads_back_as_it_was_written(finished):
    row = finished.rows[2]
    history = finished.folder.read_history(row.trial.id)
    assert history["epoch"] == [1, 2, 3, 4]
    assert history["val_loss"][-1] == row.result.val_loss
    with (finished.folder.trial(row.trial.id) / "history.csv").open() as file:
        assert file.readline().strip() == ",".join(COLUMNS)


def test_the_suite_of_a_run_folder_is_the_one_that_was_run(finished, suite):
    assert finished.folder.suite() == suite
    assert load_suite(finished.folder.suite_file) == suite


def test_a_folder_that_is_no_run_folder_is_named(tmp_path):
    with pytest.raises(RunFolderError, match=r"has no suite\.toml"):
        RunFolder(tmp_path).suite()


def test_a_damaged_array_file_is_named(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and nonsense")
    with pytest.raises(RunFolderError, match=r"x\.npz cannot be read"):
        RunFolder(tmp_path).read_arrays(tmp_path / "x.npz")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be used as a run folder"), RunFolder(tmp_path / "file").locked():
        pass
