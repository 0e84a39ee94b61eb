import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_softmax
from sklearn.metrics import brier_score_loss, mean_squared_error

from mlplab import NeuralNetworkClassifier, NeuralNetworkRegressor
from mlplab.nn.optimizers import OPTIMIZERS
from mlplab.utils.randomness import ORDER, generator

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), np.arange(50) % 3
VALIDATION = RNG.normal(size=(11, 4)), np.arange(11) % 3
#: Three members that differ in everything in which members may.
OWN = [
    {"learning_rate_init": 0.3, "alpha": 0.0, "weight_decay": 0.0},
    {"learning_rate_init": 0.01, "alpha": 1.0, "weight_decay": 0.0},
    {"learning_rate_init": 0.1, "alpha": 0.1, "weight_decay": 0.2},
]
SEEDS = [3, 4, 5]
MEASURES = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_brier", "objective")
PLAIN = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "shuffle": False, "activation": "sigmoid"}


def measured(histories):
    return np.array([[history[name] for name in MEASURES] for history in histories])


def logits(net, X):
    """Return the logits of a sigmoid network of one hidden layer, written out."""
    W, b = [W[0] for W in net.theta.weights], [b[0, 0] for b in net.theta.biases]
    return expit(X @ W[0] + b[0]) @ W[1] + b[1]


def mean_nats(net, X, y):
    """Return the mean loss of such a network, written out."""
    return -log_softmax(logits(net, X), axis=1)[np.arange(len(y)), y].mean()


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_stacked_members_learn_what_single_ones_learn(trainer, solver, momentum, shuffle, depth, dtype):
    shared = {"solver": solver, "momentum": momentum, "shuffle": shuffle, "hidden_layer_sizes": (5,) * depth}
    settings, tolerance = [{**shared, **own} for own in OWN], 1e-12 if dtype == "float64" else 2e-5

    def train(settings, seeds):
        made = trainer(settings, seeds, X, Y, VALIDATION, dtype)
        return measured(made.run(6)), made.network.theta.flat

    together, theta = train(settings, SEEDS)
    for m in range(3):
        alone, own_theta = train(settings[m : m + 1], SEEDS[m : m + 1])
        np.testing.assert_allclose(together[m], alone[0], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(theta[m], own_theta[0], rtol=tolerance, atol=tolerance)
    assert len(np.unique(np.round(together[:, 1, -1], 6))) == 3  # and they do differ from each other


@given(st.integers(1, 20), st.integers(0, 3), st.integers(2, 4), st.integers(1, 3), st.integers(1, 25))
def test_any_shape_trains(trainer, rows, depth, classes, features, batch_size):
    rng = np.random.default_rng(rows)
    y = np.append(rng.integers(0, classes, rows - 1), classes - 1)
    settings = [{"hidden_layer_sizes": (3,) * depth, "batch_size": min(batch_size, rows)}]
    (history,) = trainer(settings, [0], rng.normal(size=(rows, features)), y).run(2)
    assert len(history) == 2
    assert np.isfinite(history["train_loss"]).all()


def test_the_epochs_loss_is_the_mean_over_rows_of_uneven_batches(trainer):
    # with a learning rate that moves nothing, every batch sees the same network
    made = trainer([{**PLAIN, "learning_rate_init": 1e-300}], [0], X, Y)
    (history,) = made.run(1)
    assert len(X) % made.training.batch_size != 0
    assert history["train_loss"][0] == pytest.approx(mean_nats(made.network, X, Y), rel=1e-12)


def test_train_loss_precedes_updates_and_val_loss_follows_them(trainer):
    made = trainer([{**PLAIN, "learning_rate_init": 0.5, "batch_size": 50}], [0], X, Y, (X, Y))
    before = mean_nats(made.network, X, Y)
    (history,) = made.run(2)
    assert history["train_loss"][0] == pytest.approx(before, rel=1e-12)
    assert history["val_loss"][0] == pytest.approx(history["train_loss"][1], rel=1e-12)
    assert history["val_loss"][1] == pytest.approx(mean_nats(made.network, X, Y), rel=1e-12)


@pytest.mark.parametrize(("penalty", "decay"), [({"alpha": 0.5}, 0.5 / 50), ({"weight_decay": 0.3}, 0.3)])
def test_the_objective_adds_the_penalty_on_the_weights(trainer, penalty, decay):
    made = trainer([{**PLAIN, "batch_size": 50, **penalty}], [0], X, Y)
    made.network.theta.flat[...] = np.random.default_rng(0).normal(size=made.network.theta.flat.shape)
    expected = decay / 2 * sum((W**2).sum() for W in made.network.theta.weights)
    (history,) = made.run(1)
    assert history["objective"][0] - history["train_loss"][0] == pytest.approx(expected, rel=1e-12)


def test_alpha_is_weight_decay_times_the_rows_of_a_batch(trainer):
    by_alpha, by_decay = (
        trainer([{**PLAIN, "batch_size": 10, **penalty}], [0], X, Y).run(3)[0]["objective"]
        for penalty in ({"alpha": 2.0}, {"weight_decay": 0.2})
    )
    np.testing.assert_allclose(by_alpha, by_decay, rtol=1e-12)


def test_every_epoch_has_a_new_row_order_drawn_with_the_seed(trainer):
    made, orders = trainer([{}, {}], [3, 4], X, Y), []
    read = made.training.batches
    made.training.batches = lambda order: orders.append(order) or read(order)
    made.run(2)
    for m, seed in enumerate((3, 4)):
        rng = generator(seed, ORDER)
        for order in orders:
            np.testing.assert_array_equal(order[m], rng.permutation(len(X)))


@pytest.mark.parametrize("weights", [None, np.linspace(0, 3, 50)])
def test_a_step_of_gradient_descent_written_out(trainer, weights):
    made = trainer(
        [{**PLAIN, "learning_rate_init": 0.7, "hidden_layer_sizes": (), "batch_size": 50}], [0], X, Y, weights=weights
    )
    W = made.network.theta.weights[0][0].copy()
    made.run(1)
    w = np.ones(50) if weights is None else weights
    delta = w[:, None] * (np.exp(log_softmax(X @ W, axis=1)) - np.eye(3)[Y])
    np.testing.assert_allclose(made.network.theta.weights[0][0], W - 0.7 * X.T @ delta / w.sum(), atol=1e-14)
    np.testing.assert_allclose(made.network.theta.biases[0][0, 0], -0.7 * delta.sum(axis=0) / w.sum(), atol=1e-14)


def test_a_batch_whose_rows_weigh_nothing_teaches_nothing(trainer):
    made = trainer([{**PLAIN, "learning_rate_init": 0.7, "weight_decay": 0.1}], [0], X, Y, weights=np.zeros(50))
    before = made.network.theta.flat.copy()
    (history,) = made.run(1)
    np.testing.assert_array_equal(made.network.theta.flat, before)
    assert history["train_loss"] == [0]


def test_a_member_that_diverges_ends_alone(trainer):
    settings = [{**PLAIN, "learning_rate_init": rate, "weight_decay": 1.0} for rate in (0.1, 1e30)]
    made = trainer(settings, [0, 1], X, Y, VALIDATION)
    good, bad = made.run(5)
    assert (len(good), good.diverged_in) == (5, None)
    assert bad.diverged_in is not None
    assert len(bad) == bad.diverged_in - 1
    assert np.isfinite(bad["train_loss"]).all()
    alone = trainer(settings[:1], [0], X, Y, VALIDATION).run(5)
    np.testing.assert_allclose(measured([good]), measured(alone), rtol=1e-12)


def test_an_epoch_whose_objective_is_infinite_is_a_divergence(trainer):
    (history,) = trainer([{**PLAIN, "learning_rate_init": 1e30, "weight_decay": 1.0}], [0], X, Y).run(5)
    assert np.isfinite(history["objective"]).all()


def test_training_ends_when_every_member_has_diverged(trainer):
    settings = [{**PLAIN, "learning_rate_init": 1e30, "weight_decay": 1.0}] * 2
    calls = []
    histories = trainer(settings, [0, 1], X, Y).run(50, lambda: bool(calls.append(1)))
    assert all(history.diverged_in < 50 for history in histories)
    assert len(calls) < 50


def test_an_epoch_ends_early_once_every_member_has_diverged(trainer, monkeypatch):
    monkeypatch.setattr("mlplab.training.trainer._LOOK", 2)
    made, steps = trainer([{**PLAIN, "learning_rate_init": 1e30, "weight_decay": 1.0, "batch_size": 2}], [0], X, Y), []
    monkeypatch.setattr(made, "_step", lambda *given, step=made._step: steps.append(1) or step(*given))
    (history,) = made.run(1)
    assert history.diverged_in == 1
    assert len(steps) < len(X) / 2


def test_an_infinite_loss_of_rows_of_weight_zero_does_not_count(trainer):
    weights = np.ones(len(X))
    weights[:10] = 0
    far = X.copy()
    far[:10] = 1e200  # their logits are infinite, and their loss is not a number
    made = trainer([{**PLAIN, "batch_size": 10, "hidden_layer_sizes": ()}], [0], far, Y, weights=weights)
    made.network.theta.weights[0][...] *= 1e200
    batch = next(made.training.in_order())
    with made.network.engine.quiet():
        losses, _, penalty = made._step(batch, [0.1])
    np.testing.assert_array_equal(losses, 0)
    assert penalty is None


def test_the_callback_may_end_it(trainer):
    made = trainer([{}], [0], X, Y)
    (history,) = made.run(10, lambda: len(made.histories[0]) == 3)
    assert history["epoch"] == [1, 2, 3]


def test_without_validation_its_columns_are_nan_and_time_passes(trainer):
    (history,) = trainer([{}], [0], X, Y).run(2)
    assert np.isnan([history["val_loss"], history["val_accuracy"]]).all()
    assert min(history["seconds"]) > 0


@pytest.mark.parametrize("classes", [2, 3])
def test_evaluate_takes_the_mean_over_all_rows_of_all_batches(trainer, classes):
    made = trainer([PLAIN, PLAIN], [0, 1], X, Y % classes, (X, Y % classes))
    made.validation.batch_size = 16
    several = made.evaluate(made.validation)
    made.validation.batch_size = 50
    at_once = made.evaluate(made.validation)
    assert list(several.metrics) == list(at_once.metrics) == ["accuracy", "brier"]
    for member in range(2):
        assert several.of(member) == pytest.approx(at_once.of(member), rel=1e-12)
    if classes == 3:
        assert several.loss[0] == pytest.approx(mean_nats(made.network, X, Y))


SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "tol": None, "random_state": 0}


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "focal"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_brier_score_is_that_of_the_probabilities(loss, classes):
    model = NeuralNetworkClassifier(**SMALL, loss=loss).fit(X, Y % classes, X_val=X[:11], y_val=Y[:11] % classes)
    p = model.predict_proba(X[:11])
    expected = brier_score_loss(Y[:11] % classes, p if classes > 2 else p[:, 1], scale_by_half=False)
    assert model.history_["val_brier"][-1] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(model.history_["val_mse"]).all()


def test_the_brier_score_of_several_labels_is_their_sum():
    labels = (RNG.random((50, 3)) > 0.5).astype(int)
    model = NeuralNetworkClassifier(**SMALL).fit(X, labels, X_val=X[:11], y_val=labels[:11])
    expected = np.mean(np.sum((model.predict_proba(X[:11]) - labels[:11]) ** 2, axis=1))
    assert model.history_["val_brier"][-1] == pytest.approx(expected, rel=1e-6)


def test_the_metrics_weigh_the_rows(trainer):
    weights = np.arange(11.0)
    made = trainer([{**PLAIN, "batch_size": 4}], [0], *VALIDATION, weights=weights)
    p = np.exp(log_softmax(logits(made.network, VALIDATION[0]), axis=1))
    found = made.evaluate(made.training).of(0)
    expected = brier_score_loss(VALIDATION[1], p, sample_weight=weights, scale_by_half=False)
    assert found["val_brier"] == pytest.approx(expected, rel=1e-12)
    right = p.argmax(axis=1) == VALIDATION[1]
    assert found["val_accuracy"] == pytest.approx(np.average(right, weights=weights), rel=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_regressors_epochs_have_the_mean_squared_error(loss, columns, solver):
    values = np.abs(X[:, 0] if columns == 1 else X[:, :columns])
    ends = {"max_iter": 500, "tol": 0.01} if solver == "lbfgs" else {}
    model = NeuralNetworkRegressor(**{**SMALL, **ends}, loss=loss, solver=solver)
    model.fit(X, values, X_val=X[:11], y_val=values[:11])
    expected = mean_squared_error(values[:11], model.predict(X[:11]))
    assert model.history_["val_mse"][-1] == pytest.approx(expected, rel=1e-6)
    assert np.isnan([model.history_["val_brier"], model.history_["val_accuracy"]]).all()
