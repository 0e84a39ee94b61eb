"""The exercise's own equations, written out, against the estimator: the same weights and curves to 1e-9."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from mlplab import NeuralNetworkClassifier

EPOCHS, BATCH, RATE, CLASSES = 4, 40, 0.3, 10


@pytest.fixture(scope="module")
def rows(mnist):
    """480 training rows and 120 validation rows, 0..1, divided as the notebook divides them."""
    X, y = mnist.X[:600] / 255, mnist.y[:600].astype(int)
    train, val = train_test_split(np.arange(600), test_size=0.2, random_state=42)
    return X[train], y[train], X[val], y[val]


def start_weights(hidden, seed=0):
    rng, sizes = np.random.default_rng(seed), (784, *hidden, CLASSES)
    return [rng.normal(0, np.sqrt(2 / (i + o)), (i, o)) for i, o in pairwise(sizes)]


def outputs_of_every_layer(weights, X):
    """Return X, the sigmoids of every hidden layer and the softmax of the last."""
    layers = [X]
    for W in weights[:-1]:
        layers.append(1 / (1 + np.exp(-(layers[-1] @ W))))
    scores = np.exp(layers[-1] @ weights[-1])
    return [*layers, scores / scores.sum(axis=1, keepdims=True)]


def loss_and_accuracy(p, y):
    return -np.log(p[np.arange(len(y)), y]).mean(), (p.argmax(axis=1) == y).mean()


def gradients(weights, layers, y):
    """Return ∂(mean cross entropy)/∂W of every layer, from the last one's p - onehot(y) down."""
    delta, found = (layers[-1] - np.eye(CLASSES)[y]) / len(y), []
    for k in reversed(range(len(weights))):
        found.insert(0, layers[k].T @ delta)
        delta = (delta @ weights[k].T) * layers[k] * (1 - layers[k])
    return found


def exercise(weights, X, y, X_val, y_val, decay):
    """Replace the weights by the trained ones, the rows in the same order every epoch; return the exercise's curves."""
    curves = []
    for _ in range(EPOCHS):
        parts = []
        for start in range(0, len(X), BATCH):
            xs, ys = X[start : start + BATCH], y[start : start + BATCH]
            layers = outputs_of_every_layer(weights, xs)
            for k, gradient in enumerate(gradients(weights, layers, ys)):
                weights[k] = weights[k] - RATE * (gradient + decay * weights[k])
            parts.append(loss_and_accuracy(layers[-1], ys))
        curves.append((*np.mean(parts, axis=0), *loss_and_accuracy(outputs_of_every_layer(weights, X_val)[-1], y_val)))
    return np.transpose(curves)


@pytest.mark.parametrize("hidden", [(30,), (25, 20), (20, 15, 12)])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_curves_and_weights_are_the_exercises(rows, hidden, decay):
    X, y, X_val, y_val = rows
    model = NeuralNetworkClassifier(
        hidden,
        "sigmoid",
        solver="sgd",
        momentum=0,
        alpha=0,
        weight_decay=decay,
        learning_rate_init=RATE,
        batch_size=BATCH,
        max_iter=EPOCHS,
        tol=None,
        shuffle=False,
        fit_intercept=False,
    )
    model.fit(X, y, X_val=X_val, y_val=y_val, coef_init=start_weights(hidden))

    weights = start_weights(hidden)
    curves = exercise(weights, X, y, X_val, y_val, decay)
    for name, expected in zip(("train_loss", "train_accuracy", "val_loss", "val_accuracy"), curves, strict=True):
        np.testing.assert_allclose(model.history_[name], expected, rtol=0, atol=1e-9)
    assert curves[0, -1] < curves[0, 0] - 0.01  # it did learn
    for ours, theirs in zip(model.coefs_, weights, strict=True):
        assert ours.dtype == np.float64
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        model.predict_proba(X_val), outputs_of_every_layer(weights, X_val)[-1], rtol=0, atol=1e-9
    )


def test_whole_numbers_up_to_255_are_what_the_raw_exercise_feeds(rows):
    X, y, *_ = rows
    settings = {"hidden_layer_sizes": (10,), "activation": "sigmoid", "max_iter": 2, "tol": None, "random_state": 0}
    scaled = NeuralNetworkClassifier(**settings, input_scale=1 / 255, dtype="float64")
    scaled.fit(np.rint(X * 255).astype(np.uint8), y)
    already = NeuralNetworkClassifier(**settings).fit(X, y)
    np.testing.assert_allclose(scaled.loss_curve_, already.loss_curve_, rtol=1e-12)
