"""Fitted estimators of every kind, for all forms of export."""

import numpy as np
import pytest

#: Settings of networks with two hidden layers unless they say otherwise.
NETWORKS = {
    "linear": {"hidden_layer_sizes": ()},
    "no biases": {"fit_intercept": False},
    "float64": {"dtype": "float64"},
    "scaled": {"input_scale": 0.25},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "dropout": {"dropout": 0.3},
    "an activation a layer": {"activation": ["gelu", "tanh"]},
}
ANSWERS = ("three", "two", "one", "text", "labels")


def answers(three_classes, kind):
    X, y = three_classes
    return {
        "three": y,
        "two": y > 0,
        "one": np.zeros(len(y)),
        "text": np.array(["ant", "bee", "cat"])[y],
        "labels": np.eye(3, dtype=int)[y] | (X[:, :3] > 1),
    }[kind]


@pytest.fixture(params=NETWORKS)
def network(request):
    """The settings of a network."""
    return {"hidden_layer_sizes": (6, 5), **NETWORKS[request.param]}


@pytest.fixture(params=ANSWERS)
def answered(request, three_classes):
    """Rows and answers of one kind."""
    return three_classes[0], answers(three_classes, request.param)


@pytest.fixture
def regressor():
    """Make a small, quick regressor with the given settings."""
    from mlplab import NeuralNetworkRegressor

    small = {"hidden_layer_sizes": (6,), "max_iter": 4, "batch_size": 30, "tol": None, "random_state": 0}
    return lambda **settings: NeuralNetworkRegressor(**{**small, **settings})


@pytest.fixture(params=["one column", "two columns", "counts"])
def values(request, three_classes, regressor):
    """Rows, and a regressor fitted to values."""
    X = three_classes[0]
    y = {"one column": X[:, 0], "two columns": X[:, :2], "counts": np.abs(X[:, 0]).round()}[request.param]
    return X, regressor(loss="poisson" if request.param == "counts" else "squared_error").fit(X, y)
