import json
import shutil
from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss

from mlplab import load_dataset, load_model
from mlplab.errors import RunFolderError
from mlplab.lab.storage.predictions import Predictions, complete_predictions, complete_result, predict_rows
from mlplab.lab.storage.run_folder import RunFolder, write_arrays
from mlplab.metrics import METRICS
from tests.earlier import EARLIER

ACCURACY, BRIER = METRICS["accuracy"], METRICS["brier"]


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def statuses(name):
    """The statuses of the trials in a folder of an earlier version, by id."""
    files = sorted((EARLIER / name / "trials").glob("*/trial.json"))
    return {file.parent.name: json.loads(file.read_bytes())["status"] for file in files}


def done(name):
    return [trial for trial, status in statuses(name).items() if status == "done"]


def test_metrics_are_computed_from_what_they_need():
    rng = np.random.default_rng(0)
    true, p = rng.integers(0, 3, 30), rng.dirichlet(np.ones(3), 30).astype(np.float32)
    found = Predictions(np.arange(30), true, p.argmax(axis=1), p)
    assert found.value(ACCURACY) == found.row_values(ACCURACY).mean() == accuracy_score(true, p.argmax(axis=1))
    assert found.value(BRIER) == pytest.approx(brier_score_loss(true, p, scale_by_half=False, labels=[0, 1, 2]))
    assert found.row_values(BRIER).mean() == pytest.approx(found.value(BRIER))


def test_without_probabilities_their_metrics_are_missing(refuses):
    found = Predictions(np.arange(3), np.zeros(3, int), np.zeros(3, int))
    assert found.value(ACCURACY) == 1
    assert isnan(found.value(BRIER))
    with refuses(RunFolderError, "lack the probabilities that brier is computed from"):
        found.row_values(BRIER)


def test_predictions_read_back_as_they_were_written(finished):
    trial = finished.rows[0].trial.id
    found = finished.folder.read_predictions(trial)
    with np.load(finished.folder.predictions_file(trial)) as arrays:
        assert set(arrays) == {"rows", "true", "predicted", "probabilities"} == set(found.arrays())
        for name, array in found.arrays().items():
            np.testing.assert_array_equal(array, arrays[name])


def test_a_class_that_the_network_has_not_seen_has_probability_0(digits, classifier):
    some = np.isin(digits.y, digits.classes[[1, 4, 7]]).nonzero()[0]
    model = classifier(input_scale=digits.scale).fit(digits.X[some], digits.y[some])
    rows = np.arange(20)
    found = predict_rows(model, digits, rows)
    assert found.probabilities.shape == (20, 10)
    np.testing.assert_array_equal(found.probabilities[:, [1, 4, 7]], model.predict_proba(digits.X[rows]).astype("f4"))
    assert not np.delete(found.probabilities, [1, 4, 7], axis=1).any()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("trial", done("finished"))
def test_an_earlier_folders_probabilities_come_from_its_network(trial, digits, monkeypatch):
    from mlplab import NeuralNetworkClassifier

    monkeypatch.setattr(NeuralNetworkClassifier, "_fit", lambda *_, **__: pytest.fail("trained"))
    folder = RunFolder(EARLIER / "finished")
    stored = folder.read_predictions(trial)
    assert stored.probabilities is None
    found = complete_predictions(folder, trial, digits)
    for name in ("rows", "true", "predicted"):
        np.testing.assert_array_equal(getattr(found, name), getattr(stored, name))
    p = load_model(folder.network_file(trial)).predict_proba(digits.X[found.rows])
    np.testing.assert_allclose(found.probabilities, p, rtol=1e-5)
    result = folder.read_result(trial)
    assert result.val_brier is None
    filled = complete_result(result, found)
    assert filled.val_brier == pytest.approx(np.mean(np.sum((p - np.eye(10)[found.true]) ** 2, axis=1)), rel=1e-5)
    assert replace(filled, val_brier=None) == result
    # what is there already stays, and only it can be filled in without probabilities
    assert complete_result(replace(result, val_brier=0.5), found).val_brier == 0.5
    assert complete_result(result, stored) == result
    assert complete_result(replace(result, val_accuracy=None), stored) == result


def test_a_trial_that_an_earlier_version_paused_stays_without(digits):
    folder = RunFolder(EARLIER / "search")
    assert set(statuses("search").values()) == {"paused"}
    for trial in statuses("search"):
        result = folder.read_result(trial)
        assert complete_predictions(folder, trial, digits) is None
        assert complete_result(result, None) is result
        assert result.val_brier is None
        history = folder.read_history(trial)
        assert len(history) == result.epochs
        assert np.isnan(history["val_brier"]).all()


def test_probabilities_that_are_stored_are_not_computed_again(finished, monkeypatch):
    monkeypatch.setattr("mlplab.estimators.model_file.load_classifier", lambda _: pytest.fail("read the network"))
    trial = finished.rows[0].trial.id
    found = complete_predictions(finished.folder, trial, None)
    np.testing.assert_array_equal(found.probabilities, finished.folder.read_predictions(trial).probabilities)


def test_predictions_without_their_network_stay_as_they_are(tmp_path):
    trial = done("finished")[0]
    shutil.copytree(EARLIER / "finished" / "trials" / trial, tmp_path / "trials" / trial)
    folder = RunFolder(tmp_path)
    folder.network_file(trial).unlink()
    assert complete_predictions(folder, trial, None).probabilities is None


def test_a_file_that_lacks_an_array_is_named(tmp_path, refuses):
    folder = RunFolder(tmp_path)
    folder.trial("x").mkdir(parents=True)
    with refuses(RunFolderError, "validation_predictions.npz cannot be read"):
        folder.read_predictions("x")
    write_arrays(folder.predictions_file("x"), {"rows": np.arange(3)})
    with refuses(RunFolderError, "validation_predictions.npz has no 'true'", "run the suite again"):
        folder.read_predictions("x")
