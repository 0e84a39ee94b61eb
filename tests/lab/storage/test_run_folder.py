import csv

import pytest

from mlplab import load_suite
from mlplab.errors import RunFolderError
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch, History
from tests.small_suite import result_of


def test_results_have_a_row_per_trial_in_the_order_of_the_suite(finished):
    with finished.folder.results_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "experiment", "trial", "label", "seed", "status", "hidden_layer_sizes", "learning_rate_init", "max_iter",
        "epochs", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds", "parameters", "val_brier",
    ]  # fmt: skip
    assert [row["experiment"] for row in rows] == ["width"] * 2 + ["rate"] * 4
    for row, held in zip(rows, finished.rows, strict=True):
        assert float(row["val_loss"]) == held.result.val_loss
        assert float(row["val_brier"]) == held.result.val_brier


def test_a_history_reads_back_as_it_was_written(finished):
    row = finished.rows[2]
    history = finished.folder.read_history(row.trial.id)
    assert history["epoch"] == [1, 2, 3, 4]
    assert history["val_loss"][-1] == row.result.val_loss
    assert history["val_brier"][-1] == row.result.val_brier
    with (finished.folder.trial(row.trial.id) / "history.csv").open() as file:
        assert file.readline().strip() == ",".join(history.columns)


def _write_network(folder):
    for name in ("model.safetensors", "validation_predictions.npz"):
        (folder / name).write_bytes(b"0123456789")


@pytest.mark.parametrize("seconds", [0.002, 1000.0])
def test_a_result_reads_back_unchanged_and_replaces_an_older_one(suite, tmp_path, seconds):
    folder, trial = RunFolder(tmp_path), suite.cells()[0][1]
    failed = result_of(trial, status="failed", error="it failed", seconds=seconds)
    folder.write_trial(failed, History())
    assert folder.read_result(trial.id) == failed
    done = result_of(trial, seconds=seconds)
    folder.write_trial(done, History([Epoch(1, 0.5, 0.5)]), _write_network)
    assert folder.read_result(trial.id) == done
    assert len(folder.read_history(trial.id)) == 1
    assert [path.name for path in folder.trials.iterdir()] == [trial.id]


@pytest.mark.parametrize("name", ["model.safetensors", "validation_predictions.npz", "history.csv", "trial.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "shorter"])
def test_a_trial_with_a_file_missing_or_cut_short_is_none(suite, tmp_path, name, damage):
    folder, trial = RunFolder(tmp_path), suite.cells()[0][1]
    folder.write_trial(result_of(trial), History([Epoch(1, 0.5, 0.5)]), _write_network)
    file = folder.trial(trial.id) / name
    content = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes(content[: -5 if damage == "shorter" else 0])
    assert folder.read_result(trial.id) is None


@pytest.mark.parametrize("name", ["model.safetensors", "validation_predictions.npz", "history.csv", "trial.json"])
def test_a_flipped_bit_anywhere_makes_a_trial_none(suite, tmp_path, name):
    folder, trial = RunFolder(tmp_path), suite.cells()[0][1]
    result = result_of(trial)
    folder.write_trial(result, History([Epoch(1, 0.5, 0.5)]), _write_network)
    file = folder.trial(trial.id) / name
    content = file.read_bytes()
    for position in range(0, len(content), max(1, len(content) // 60)):
        file.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        held = folder.read_result(trial.id, thorough=True)
        # what only lays the JSON out means nothing
        assert held is None or (name == "trial.json" and held == result)
    file.write_bytes(content)
    assert folder.read_result(trial.id, thorough=True) == result


def test_folders_that_changed_places_hold_no_results(suite, tmp_path):
    folder, (one, other) = RunFolder(tmp_path), [trial for _, trial in suite.cells()[:2]]
    for trial in (one, other):
        folder.write_trial(result_of(trial), History())
    folder.trial(one.id).rename(tmp_path / "aside")
    folder.trial(other.id).rename(folder.trial(one.id))
    (tmp_path / "aside").rename(folder.trial(other.id))
    assert [folder.read_result(trial.id, thorough=True) for trial in (one, other)] == [None, None]


@pytest.mark.parametrize("content", ['{"sizes": 3}', "[]", "3", '{"id": "trunc'])
def test_what_is_no_result_is_none(tmp_path, content):
    folder = RunFolder(tmp_path)
    folder.trial("x").mkdir(parents=True)
    (folder.trial("x") / "trial.json").write_text(content)
    assert folder.read_result("x") is None


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
