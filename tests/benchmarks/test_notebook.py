"""The notebook's contender computes what it stands for: the same losses as mlplab in float64."""

import numpy as np
import pytest

from benchmarks.cases import Case
from benchmarks.contenders import notebook
from mlplab import NeuralNetworkClassifier

ROWS, FEATURES, CLASSES, EPOCHS, BATCH = 60, 5, 3, 4, 12
EPSILON = 1e-14  # mlplab's Adam adds it to √v, the notebook's to √v̂ = √(v/(1 - β₂ᵗ)): it must not be felt


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    y = np.arange(ROWS) % CLASSES
    return rng.normal(size=(CLASSES, FEATURES))[y] + rng.normal(size=(ROWS, FEATURES)), y


@pytest.mark.parametrize("hidden", [(), (7,), (6, 4)])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_losses_and_accuracies_are_mlplabs(rows, hidden, solver):
    X, y = rows
    rate, decay = 0.05, 0.01 if solver == "sgd" else 0.0
    start = notebook.draw_weights((FEATURES, *hidden, CLASSES), np.random.default_rng(0))
    model = NeuralNetworkClassifier(
        hidden,
        "sigmoid",
        solver=solver,
        momentum=0,
        alpha=0,
        weight_decay=decay,
        learning_rate_init=rate,
        epsilon=EPSILON,
        batch_size=BATCH,
        max_iter=EPOCHS,
        tol=None,
        shuffle=False,
        fit_intercept=False,
        dtype="float64",
    ).fit(X, y, X_val=X, y_val=y, coef_init=start)

    rule = notebook.Sgd(rate, decay) if solver == "sgd" else notebook.Adam(rate, epsilon=EPSILON)
    network = notebook.Network(start, rule)
    for epoch in model.history_:
        loss, accuracy = network.epoch(notebook.batches_of(X, y, BATCH))
        val_loss, val_accuracy = network.epoch(notebook.batches_of(X, y, BATCH), learn=False)
        assert loss == pytest.approx(epoch.train_loss, abs=1e-9)
        assert val_loss == pytest.approx(epoch.val_loss, abs=1e-9)
        assert (accuracy, val_accuracy) == pytest.approx((epoch.train_accuracy, epoch.val_accuracy))
    assert val_loss < model.history_["train_loss"][0] - 0.01  # it did learn


def test_a_timed_round_makes_its_epochs(rows, monkeypatch):
    seen = []
    monkeypatch.setattr(notebook.Network, "epoch", lambda self, batches: seen.append([len(y) for _, y in batches]))
    run = notebook.training(Case("table", (FEATURES, 4, CLASSES), "sgd", BATCH, epochs=2), *rows)
    assert run() > 0
    assert seen == [[BATCH] * (ROWS // BATCH)] * 3  # one of them is not timed
