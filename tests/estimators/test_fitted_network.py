"""The one interface through which predictions, exports and calibration read a network."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit, softmax

from mlplab import NeuralNetworkClassifier, NeuralNetworkRegressor
from mlplab.errors import DataError
from mlplab.estimators.fitted_network import FittedNetwork


def forward(model, X):
    """The logits of a network with one hidden tanh layer, written out."""
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    return np.tanh(X @ W1 + b1) @ W2 + b2


@pytest.fixture
def fitted(classifier, three_classes):
    return classifier(activation="tanh", input_scale=0.5).fit(*three_classes)


def test_logits_and_outputs_are_the_forward_formula(fitted, three_classes):
    X, _ = three_classes
    z = forward(fitted, 0.5 * X)
    np.testing.assert_allclose(fitted.network_.logits(X), z, atol=1e-12)
    np.testing.assert_allclose(fitted.network_.outputs(X), softmax(z, axis=1), atol=1e-12)
    np.testing.assert_array_equal(fitted.network_.decisions(X), z.argmax(axis=1))


def test_some_rows_are_those_of_all(fitted, three_classes):
    X, rows = three_classes[0], np.array([7, 3, 3, 80])
    for method in (fitted.network_.logits, fitted.network_.outputs, fitted.network_.decisions):
        np.testing.assert_allclose(method(X, rows), method(X)[rows], atol=1e-12)


@pytest.mark.parametrize("form", [csr_matrix, lambda X: X.astype(np.float32), np.asfortranarray])
def test_rows_of_any_form_give_the_same_logits(fitted, three_classes, form):
    X = three_classes[0].round(2).astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(fitted.network_.logits(form(X)), forward(fitted, 0.5 * X), atol=1e-12)


@pytest.mark.parametrize("kind", ["two classes", "labels", "values", "counts"])
def test_outputs_are_what_the_loss_makes_of_logits(three_classes, kind):
    X, _ = three_classes
    settings = {"hidden_layer_sizes": (5,), "activation": "tanh", "max_iter": 2, "tol": None}
    counts = {"loss": "poisson"} if kind == "counts" else {}
    regression = kind in ("values", "counts")
    model = (NeuralNetworkRegressor if regression else NeuralNetworkClassifier)(**settings, **counts)
    model.fit(X, {"two classes": X[:, 0] > 0, "labels": (X[:, :2] > 0).astype(int)}.get(kind, np.abs(X[:, 0])))
    expected = {"values": lambda z: z, "counts": np.exp}.get(kind, expit)(forward(model, X))
    np.testing.assert_allclose(model.network_.outputs(X), expected, atol=1e-12)


def test_arrays_are_views_and_copies_are_not(fitted):
    arrays, copies = fitted.network_.arrays(), fitted.network_.copy_arrays()
    arrays["coefs.0"][...] = 1
    assert (fitted.coefs_[0] == 1).all()
    assert (copies["coefs.0"] != 1).any()
    fitted.network_.set_arrays(copies)
    np.testing.assert_array_equal(fitted.coefs_[0], copies["coefs.0"])


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("intercepts.1"),
        lambda arrays: arrays.update({"coefs.0": np.zeros((6, 4))}),
        lambda arrays: arrays.update({"coefs.0": np.zeros((4, 6), np.float32)}),
        lambda arrays: arrays.update({"gains.0": np.zeros(6)}),
    ],
)
def test_arrays_that_do_not_fit_change_nothing(fitted, change, refuses):
    before, other = fitted.network_.copy_arrays(), {n: a + 1 for n, a in fitted.arrays().items()}
    change(other)
    with refuses(DataError, "do not fit"):
        fitted.network_.set_arrays(other)
    for name, array in fitted.arrays().items():
        np.testing.assert_array_equal(array, before[name])


def test_settings_count_from_the_next_fit_on(fitted, three_classes):
    X, _ = three_classes
    before = fitted.predict_proba(X)
    fitted.set_params(input_scale=2.0, activation="relu", loss="focal")
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
    fitted.partial_fit(*three_classes)
    assert fitted.network_.input_scale == 2.0


def test_a_fit_that_fails_leaves_no_network(fitted, three_classes):
    assert isinstance(fitted.network_, FittedNetwork)
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(np.full((9, 4), np.nan), np.arange(9) % 3)
    assert not hasattr(fitted, "network_")
    assert not hasattr(fitted, "coefs_")
    assert len(fitted.history_) == 4
