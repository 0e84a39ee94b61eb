import json
from math import inf
from time import perf_counter

import numpy as np
import pytest

from mlplab import load_dataset
from mlplab.data import split_rows
from mlplab.lab.execution.checkpoints import Stop, StopRule
from mlplab.lab.execution.training import train_job
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.trial import Trial, TrialResult
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import METRICS
from mlplab.training.checkpoint import FORMAT
from mlplab.training.history import Epoch
from mlplab.utils.tensor_file import read_tensors, write_tensors
from tests.small_suite import read_weights

ACCURACY, BRIER = METRICS["accuracy"], METRICS["brier"]
#: Its validation accuracy falls again after the first epochs.
SETTINGS = {"hidden_layer_sizes": (8,), "solver": "sgd", "learning_rate_init": 2.0, "max_iter": 8, "tol": None}


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits")
    return dataset, split_rows(dataset, "random", 0, 300)


@pytest.fixture
def train(digits, tmp_path):
    """Train a job of one trial in a folder; return the folder, the trial, what was reported, and whether it is done."""

    def run(pause_after=None, seconds=10.0, name="run", **settings):
        trial = Trial({**SETTINGS, **settings}, 0, "digits", "random", 300)
        folder, news = RunFolder(tmp_path / name), []
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        options = {"checkpoint_seconds": seconds, "one_slice": seconds < 10}
        done = train_job(Job((trial,), ("mine",), pause_after), *digits, folder, news.append, **options)
        return folder, trial, news, done

    return run


def epochs_of(news):
    return [one.epoch for one in news if isinstance(one, Epoch)]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_paused_trial_leaves_the_predictions_of_its_last_epoch(train, early_stopping):
    folder, trial, news, done = train(6, early_stopping=early_stopping, n_iter_no_change=9)
    assert done
    result = folder.read_result(trial.id)
    assert news[-1] == result
    assert (result.status, result.epochs) == ("paused", 6)
    history = folder.read_history(trial.id)
    assert history.best(ACCURACY).val_accuracy > history["val_accuracy"][-1]  # else it would show nothing
    found = folder.read_predictions(trial.id)
    assert found.value(ACCURACY) == pytest.approx(result.val_accuracy) == pytest.approx(history["val_accuracy"][-1])
    assert found.value(BRIER) == pytest.approx(result.val_brier) == pytest.approx(history["val_brier"][-1])
    assert not folder.network_file(trial.id).exists()
    assert folder.checkpoint(trial.lineage).exists()


def test_early_stopping_reports_the_epoch_of_the_kept_weights(train):
    folder, trial, *_ = train(early_stopping=True, n_iter_no_change=9)
    result, history = folder.read_result(trial.id), folder.read_history(trial.id)
    best = history.best(ACCURACY)
    assert best.epoch < len(history) == result.epochs
    assert (result.val_loss, result.val_accuracy, result.val_brier) == (
        best.val_loss,
        best.val_accuracy,
        best.val_brier,
    )
    assert result.train_loss == history["train_loss"][-1]
    found = folder.read_predictions(trial.id)
    assert found.value(ACCURACY) == pytest.approx(result.val_accuracy)
    assert found.value(BRIER) == pytest.approx(result.val_brier)


def test_slices_and_pauses_change_no_bits(train):
    folder, trial, news, _ = train(name="whole")
    other, _, first, done = train(3, name="parts")
    assert done
    assert epochs_of(first) == [1, 2, 3]
    ended = [train(seconds=0.0, name="parts") for _ in range(5)]
    assert [done for *_, done in ended] == [False] * 4 + [True]
    assert [epochs_of(news) for _, _, news, _ in ended] == [[4], [5], [6], [7], [8]]
    assert read_weights(other.path) == read_weights(folder.path)
    histories = [one.read_history(trial.id) for one in (folder, other)]
    assert len(epochs_of(news)) == 8
    for column in ("train_loss", "val_loss", "val_accuracy", "val_brier"):
        assert histories[0][column] == histories[1][column]


def test_a_paused_training_whose_result_was_lost_is_not_trained(train):
    folder, trial, *_ = train(3)
    kept = {path.name: path.read_bytes() for path in folder.trial(trial.id).iterdir()}
    folder.trial(trial.id).rename(folder.path / "lost")
    *_, news, done = train(3)
    assert done
    assert [type(one) for one in news] == [TrialResult]
    assert {path.name: path.read_bytes() for path in folder.trial(trial.id).iterdir()} == kept


def test_a_metric_missing_in_a_checkpoint_uses_the_predictions(train):
    folder, trial, (*_, result), _ = train(3)
    forget_brier(folder.checkpoint(trial.lineage))
    folder.trial(trial.id).rename(folder.path / "lost")
    train(3)
    found = folder.read_result(trial.id)
    assert found.val_brier == pytest.approx(result.val_brier, rel=1e-6)
    history = folder.read_history(trial.id)
    assert np.isnan(history["val_brier"]).all()
    train()  # the epochs that follow are measured
    assert np.isnan(folder.read_history(trial.id)["val_brier"]).tolist() == [True] * 3 + [False] * 5


def forget_brier(file):
    """Turn a checkpoint into one that an earlier version wrote."""
    tensors, metadata = read_tensors(file, FORMAT, "checkpoint")
    state = json.loads(metadata["state"])
    for record in state["history_"]["records"]:
        del record["val_brier"]
    write_tensors(tensors, {**metadata, "state": json.dumps(state)}, file)


def test_a_training_stops_at_its_pause_or_when_its_time_is_over():
    rule = StopRule(9, pause_after=4)
    assert [rule.after(epoch) for epoch in (3, 4, 5)] == [None, Stop.PAUSE, None]
    assert [rule.begin(epochs) for epochs in (0, 4)] == [None, Stop.PAUSE]
    late = StopRule(9, until=perf_counter() - 1)
    assert late.begin(3) is None  # a slice makes an epoch at least
    assert [late.after(epoch) for epoch in (1, 9)] == [Stop.TIME, None]
    assert late.stop is None
    assert StopRule(9, until=inf).after(1) is None
