"""One training: its state between fits, and what it leaves behind."""

import json
import pickle
from copy import copy

import numpy as np
import pandas
import pytest

from mlplab import Callback, Checkpoint, NeuralNetworkClassifier, NeuralNetworkRegressor, scale_temperature
from mlplab.estimators.training_state import TrainingState
from mlplab.training.checkpoint import FORMAT
from mlplab.training.stopping import Patience
from mlplab.utils.tensor_file import read_tensors

#: The keys of the state in every checkpoint since the first version: never change them, old files hold them.
KEYS = ["_learner", "_patience", "_best", "_validation_scores", "_epochs_before", "t_", "history_"]
LEARNER_KEYS = ["network", "optimizer", "schedule", "generators", "average", "epochs", "rows"]


@pytest.mark.parametrize("kind", [NeuralNetworkClassifier, NeuralNetworkRegressor])
def test_keys_in_a_checkpoint_stay(tmp_path, three_classes, kind):
    kind(3, max_iter=1, tol=None, early_stopping=True).fit(*three_classes, checkpoint=tmp_path / "c")
    state = json.loads(read_tensors(tmp_path / "c", FORMAT, "checkpoint")[1]["state"])
    assert list(state) == KEYS
    assert list(state["_learner"]) == LEARNER_KEYS
    assert list(state["_patience"]) == ["best", "_waited"]
    assert state["t_"] == 81
    assert len(state["_validation_scores"]) == len(state["history_"]["records"]) == 1


def test_every_attribute_in_the_table_is_one_of_the_state():
    assert set(TrainingState.state_attributes) <= set(vars(TrainingState(Patience(0.0, 1))))
    assert list(TrainingState.state_attributes.values()) == KEYS


def test_settings_that_may_grow_are_not_in_the_identity(tmp_path, three_classes):
    NeuralNetworkClassifier(3, max_iter=1, tol=None).fit(*three_classes, checkpoint=tmp_path / "c")
    identity = Checkpoint(tmp_path / "c").read()["identity"]
    assert not {"max_iter", "tol", "n_iter_no_change", "random_state", "callbacks"} & set(identity)
    assert {"solver", "seed", "numerics", "data", "start"} <= set(identity)


def test_a_fit_leaves_no_rows_in_the_estimator(classifier):
    X = np.random.default_rng(0).normal(size=(20_000, 4))
    y = np.arange(20_000) % 3
    model = classifier(max_iter=1, batch_size=200).fit(X, y, X_val=X, y_val=y, sample_weight=np.ones(20_000))
    assert len(pickle.dumps(model.partial_fit(X, y))) < 20_000


def test_a_shallow_copy_has_its_own_settings_and_the_network(classifier, three_classes):
    model = classifier().fit(*three_classes)
    twin = copy(model)
    twin.max_iter = 99
    assert model.max_iter == 4
    assert twin.network_ is model.network_
    assert twin.history_ is model.history_


def test_a_fitted_state_restores_an_estimator(classifier, three_classes):
    X, y = three_classes
    model = classifier(normalization="batch", early_stopping=True).fit(X, y, X_val=X, y_val=y)
    other = classifier(normalization="batch", early_stopping=True)
    other.restore(model.fitted_state(), classes=model.classes_, labels=False)
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    for name in ("n_iter_", "t_", "loss_curve_", "validation_scores_", "n_training_rows_"):
        assert getattr(other, name) == getattr(model, name)


class LookAtWeights(Callback):
    def __init__(self):
        self.seen = []

    def on_batch_end(self, estimator, loss):
        self.seen.append(estimator.coefs_[0].copy())


@pytest.mark.parametrize("keep", [False, True])
def test_weights_set_by_hand_are_trained_if_kept(classifier, three_classes, keep):
    look = LookAtWeights()
    model = classifier(ema_decay=0.9, learning_rate_init=1e-300).fit(*three_classes)
    model.coefs_ = [np.full_like(W, 7.0) for W in model.coefs_]
    if keep:
        model.keep_weights()
    model.set_params(callbacks=[look]).partial_fit(*three_classes)
    assert all((W == 7.0).all() == keep for W in look.seen)


def test_copies_for_callbacks_predict_and_stand_still(classifier, three_classes):
    X, y = three_classes
    seen = []

    class Keep(Callback):
        def on_epoch_end(self, estimator, epoch):
            twin = copy(estimator)
            vars(twin).update(estimator.copy_results())
            seen.append((twin, estimator.predict_proba(X)))

    model = classifier(callbacks=[Keep()]).fit(X, y)
    for k, (twin, expected) in enumerate(seen, start=1):
        np.testing.assert_array_equal(twin.predict_proba(X), expected)
        assert twin.n_iter_ == k
    before = model.predict_proba(X)
    seen[0][0].partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_scikit_learns_callbacks_receive_frames_as_given(three_classes):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    X, y = three_classes
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = NeuralNetworkClassifier(3, max_iter=2, tol=None).set_callbacks(monitor)
    model.fit(pandas.DataFrame(X, columns=list("abcd")), y)  # a warning of missing feature names would be an error


def test_a_temperature_needs_no_row_of_every_class(classifier, three_classes):
    X, y = three_classes
    model = classifier(warm_start=True).fit(X, y)
    assert scale_temperature(model, X[y > 0], y[y > 0]).temperature > 0
