"""The seam for compiled code, held by an engine whose compiled networks run the formulas of `mlplab.nn`.

What such a network computes is known: the same as without it, so that any difference is the trainer's.
"""

from typing import ClassVar

import numpy as np
import pytest

from mlplab import Checkpoint, NeuralNetworkClassifier
from mlplab.engine.base import Steps
from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.nn.network import Workspace
from mlplab.nn.penalties import l1_value, l2_value, limit_norms
from mlplab.training.callbacks import Callback
from mlplab.training.trainer import Trainer

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), np.arange(50) % 3
VALIDATION = RNG.normal(size=(11, 4)), np.arange(11) % 3
#: Two members that differ in everything in which members may.
OWN = [{"learning_rate_init": 0.1, "alpha": 0.0}, {"learning_rate_init": 0.02, "alpha": 0.5, "weight_decay": 0.1}]
SEEDS = [3, 4]
MEASURES = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "objective")


class Compiled:
    def __init__(self, network, loss, optimizer, parts):
        self.network, self.loss, self.optimizer, self.parts = network, loss, optimizer, parts
        self.trained, self.predicted = [], []  # rows and batches of each call; rows of each call

    def train(self, order, learning_rates):
        self.trained.append((order.shape[1], len(learning_rates)))
        batches, done = self.parts["training"].batches(order), []
        for batch, rates in zip(batches, learning_rates, strict=True):
            done.append(self.step(batch, rates))
        penalties = [steps.penalty for steps in done if steps.penalty is not None]
        weighted = [steps.penalty * steps.losses.shape[1] for steps in done if steps.penalty is not None]
        losses, right = (np.concatenate([steps[k] for steps in done], axis=1) for k in (0, 1))
        return Steps(losses, right, sum(weighted) / order.shape[1] if penalties else None)

    def step(self, batch, learning_rates):
        network, xp, rates, optimizer = self.network, np, self.parts["rates"], self.optimizer
        work = Workspace(network, batch.X.shape[1])
        z = network.forward(batch.X, work, training=True)
        right, losses = self.parts["task"].right(xp, z, batch.y), self.loss.value_and_delta(xp, z, batch.T)
        totals = np.full(network.members, float(batch.X.shape[1]))
        if batch.weights is not None:
            totals = batch.weights.sum(axis=1, dtype=np.float64)
            z *= batch.weights[..., None]
            losses *= batch.weights
            losses *= (batch.X.shape[1] / totals)[:, None]
        decay = (np.array(rates.weight_decay) + np.array(rates.alpha) / totals).tolist()
        weights = network.theta.flat[:, : network.theta.weight_count]
        penalty = l2_value(xp, weights, decay) + l1_value(xp, weights, rates.l1)
        optimizer.begin_step(totals.tolist(), learning_rates, decay)
        network.backward(z, work, optimizer)
        optimizer.end_step()
        for W in network.theta.weights[:-1] if rates.max_norm else ():
            limit_norms(xp, W, rates.max_norm)
        self.parts["average"].on_step(network)
        return Steps(losses, right, None if optimizer.decoupled else penalty)

    def logits(self, X):
        self.predicted.append(X.shape[1])
        return self.network.forward(X, Workspace(self.network, X.shape[1])).copy()


class CompilingEngine(NumpyEngine):
    """NumPy's, and compiled networks that are kept in `made`; `trains` is whether they make steps too."""

    made: ClassVar = []
    trains = True

    def compile(self, network, loss, optimizer=None, **parts):
        if optimizer is not None and not self.trains:
            return None
        self.made.append(Compiled(network, loss, optimizer, parts))
        return self.made[-1]


@pytest.fixture
def engine(monkeypatch):
    """Return the engine that compiles, of which this test has the only one, and forbid the trainer its own steps."""
    monkeypatch.setattr(CompilingEngine, "made", [])
    return CompilingEngine("float64")


@pytest.fixture
def pairs(trainer, engine, monkeypatch):
    """Return two trainers that differ in their engine, the second of them unable to make a step by itself."""

    def make(shared, **data):
        settings = [{**shared, **own} for own in OWN]
        plain, compiled = (
            trainer(settings, SEEDS, X, Y, VALIDATION, engine=one, **data) for one in (NumpyEngine("float64"), engine)
        )
        monkeypatch.setattr(compiled, "_step", None)
        monkeypatch.setattr(compiled, "workspace", None)
        return plain, compiled

    return make


def table(histories, names=MEASURES):
    return np.array([[history[name] for name in names] for history in histories])


@pytest.mark.parametrize(
    "shared",
    [
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "adam", "shuffle": False},
        {"solver": "adamw", "learning_rate": "cosine", "max_iter": 4},
        {"solver": "nadam", "dropout": 0.3, "input_noise": 0.1},
        {"solver": "sgd", "l1": 0.01, "max_norm": 1.0, "ema_decay": 0.8},
        {"average_epochs": 2, "max_iter": 4, "hidden_layer_sizes": ()},
    ],
)
@pytest.mark.parametrize("weights", [None, np.linspace(0, 3, 50)])
def test_a_compiled_network_gives_the_same_history(pairs, engine, shared, weights):
    plain, compiled = pairs(shared, weights=weights)
    expected, actual = plain.run(4), compiled.run(4)
    np.testing.assert_array_equal(compiled.network.theta.flat, plain.network.theta.flat)
    np.testing.assert_array_equal(table(actual, MEASURES[:-1]), table(expected, MEASURES[:-1]))
    # the penalties of an epoch are added in another order
    np.testing.assert_allclose(table(actual), table(expected), rtol=1e-13)
    (made,) = engine.made
    assert made.trained == [(50, 4)] * 4  # an epoch each
    assert made.predicted == [11] * 4  # the validation rows after each


def test_a_callback_for_batches_gets_each_of_them(pairs, engine):
    plain, compiled = pairs({"solver": "sgd"})
    seen = [[], []]
    plain.run(2, on_batch_end=seen[0].append)
    compiled.run(2, on_batch_end=seen[1].append)
    assert seen[0] == seen[1]
    assert engine.made[0].trained == [(16, 1), (16, 1), (16, 1), (2, 1)] * 2


def test_a_callback_may_end_an_epoch_of_compiled_steps(pairs, engine):
    plain, compiled = pairs({"solver": "adam"})
    for one in (plain, compiled):
        losses = []
        assert [len(h) for h in one.run(3, on_batch_end=lambda loss, seen=losses: seen.append(loss) or len(seen) == 6)]
    assert engine.made[0].trained == [(16, 1), (16, 1), (16, 1), (2, 1), (16, 1), (16, 1)]
    np.testing.assert_array_equal(compiled.network.theta.flat, plain.network.theta.flat)


def test_a_long_epoch_is_several_calls_of_whole_batches(pairs, engine, monkeypatch):
    monkeypatch.setattr("mlplab.training.trainer._LOOK", 20)
    plain, compiled = pairs({"solver": "adam", "learning_rate": "one_cycle", "max_iter": 2})
    np.testing.assert_allclose(table(compiled.run(2)), table(plain.run(2)), rtol=1e-13)
    assert engine.made[0].trained == [(32, 2), (18, 2)] * 2


def test_an_epoch_ends_where_every_member_has_diverged(pairs, engine, monkeypatch):
    monkeypatch.setattr("mlplab.training.trainer._LOOK", 1)
    plain, compiled = pairs({"solver": "sgd"})
    for one in (plain, compiled):
        one.network.theta.flat[...] = np.nan
        assert [history.diverged_in for history in one.run(3)] == [1, 1]
    assert engine.made[0].trained == [(16, 1)]


def test_steps_by_the_formulas_go_with_compiled_predictions(trainer, engine, monkeypatch):
    monkeypatch.setattr(CompilingEngine, "trains", False)
    plain, half = (trainer(OWN, SEEDS, X, Y, VALIDATION, engine=one) for one in (NumpyEngine("float64"), engine))
    np.testing.assert_array_equal(table(half.run(3)), table(plain.run(3)))
    (made,) = engine.made
    assert (made.trained, made.predicted) == ([], [11] * 3)


# ---- through the estimator -------------------------------------------------------------------------------------------


def model(**settings):
    shared = {"alpha": 0, "batch_size": 16, "max_iter": 5, "tol": None, "random_state": 0}
    return NeuralNetworkClassifier((5,), **{**shared, **settings})


@pytest.fixture
def compiling(engine, monkeypatch):
    """Let `build_engine` return engines that compile, and forbid the trainer its own steps."""
    monkeypatch.setattr("mlplab.training.build.NumpyEngine", CompilingEngine)
    monkeypatch.setattr(Trainer, "_step", None)


def test_an_estimator_fits_and_predicts_by_compiled_code(request):
    expected = model().fit(X, Y)
    request.getfixturevalue("compiling")
    actual = model().fit(X, Y)
    CompilingEngine.made.clear()
    np.testing.assert_array_equal(actual.predict_proba(X), expected.predict_proba(X))
    (made,) = CompilingEngine.made
    assert (made.optimizer, made.parts, made.predicted) == (None, {}, [50])
    actual.coefs_[0][...] = expected.coefs_[0][...] = 0  # what a script writes counts for the next prediction
    np.testing.assert_array_equal(actual.predict_proba(X), expected.predict_proba(X))


def test_lbfgs_predicts_by_compiled_code_and_trains_without(request):
    settings = {"solver": "lbfgs", "alpha": 1.0, "max_iter": 500}
    expected = model(**settings).fit(X, Y, X_val=VALIDATION[0], y_val=VALIDATION[1])
    request.getfixturevalue("compiling")
    actual = model(**settings).fit(X, Y, X_val=VALIDATION[0], y_val=VALIDATION[1])
    assert actual.validation_loss_curve_ == expected.validation_loss_curve_
    assert CompilingEngine.made[0].predicted == [11] * actual.n_iter_


class Stop(Callback):
    def on_epoch_end(self, estimator, epoch):
        return epoch.epoch == 2


def test_compiled_code_continues_a_checkpoint_of_the_formulas(request, tmp_path):
    settings = {"ema_decay": 0.9, "dropout": 0.2}
    expected = model(**settings).fit(X, Y)
    model(**settings, callbacks=[Stop()]).fit(X, Y, checkpoint=Checkpoint(tmp_path / "c", seconds=0))
    request.getfixturevalue("compiling")
    actual = model(**settings).fit(X, Y, checkpoint=tmp_path / "c")
    assert sum(rows for rows, _ in CompilingEngine.made[0].trained) == 3 * 50
    assert actual.loss_curve_ == expected.loss_curve_
    np.testing.assert_array_equal(actual.coefs_[1], expected.coefs_[1])
