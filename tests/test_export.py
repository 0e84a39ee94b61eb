import numpy as np
import onnxruntime
import pytest
from sklearn.neural_network import MLPClassifier

from mlplab import from_sklearn, to_onnx, to_sklearn
from mlplab.errors import SettingError
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.normalization import NORMALIZATIONS

FITS = {
    "linear": {"hidden_layer_sizes": ()},
    "no biases": {"fit_intercept": False},
    "float64": {"dtype": "float64"},
    "scaled": {"input_scale": 0.25},
    "batch": {"hidden_layer_sizes": (6, 5), "normalization": "batch"},
    "layer": {"hidden_layer_sizes": (6, 5), "normalization": "layer"},
    "dropout": {"dropout": 0.3},
    "an activation a layer": {"hidden_layer_sizes": (6, 5), "activation": ["gelu", "tanh"]},
}
UNKNOWN_THERE = ("layer", "an activation a layer")


def answers(three_classes, kind):
    X, y = three_classes
    return {
        "three": y,
        "two": y > 0,
        "one": np.zeros(len(y)),
        "text": np.array(["ant", "bee", "cat"])[y],
        "labels": np.eye(3, dtype=int)[y] | (X[:, :3] > 1),
    }[kind]


def run(path, X):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})[0]


def assert_onnx_says_the_same(model, X, path):
    to_onnx(model, path)
    np.testing.assert_allclose(run(path, X.astype(np.float32)), model.predict_proba(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_onnx_runtime_computes_every_activation(classifier, three_classes, tmp_path, activation):
    X, y = three_classes
    assert_onnx_says_the_same(classifier(activation=activation).fit(X, y), X, tmp_path / "model.onnx")


@pytest.mark.parametrize("settings", FITS.values(), ids=FITS)
def test_onnx_runtime_computes_every_kind_of_network(classifier, three_classes, tmp_path, settings):
    X, y = three_classes
    assert_onnx_says_the_same(classifier(**settings).fit(X, y), X, tmp_path / "model.onnx")


@pytest.mark.parametrize("kind", ["three", "two", "one", "text", "labels"])
def test_onnx_runtime_computes_every_kind_of_answer(classifier, three_classes, tmp_path, kind):
    X = three_classes[0]
    assert_onnx_says_the_same(classifier().fit(X, answers(three_classes, kind)), X, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "settings", [{"activation": type(ACTIVATIONS["tanh"])()}, {"normalization": object.__new__(type("Own", (), {}))}]
)
def test_parts_of_ones_own_cannot_be_exported(classifier, three_classes, refuses, tmp_path, settings):
    if "normalization" in settings:
        base = NORMALIZATIONS["layer"]
        own = type("Own", (), {"runs": False, "forward": base.forward, "backward": base.backward})()
        settings = {"normalization": own}
    model = classifier(**settings).fit(*three_classes)
    with refuses(SettingError, "of your own cannot be exported"):
        to_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("kind", ["three", "two", "text", "labels"])
@pytest.mark.parametrize("settings", [s for name, s in FITS.items() if name not in UNKNOWN_THERE])
def test_scikit_learns_class_predicts_the_same(classifier, three_classes, settings, kind):
    X, y = three_classes[0], answers(three_classes, kind)
    model = classifier(**settings).fit(X, y)
    other = to_sklearn(model)
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert other.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize("name", UNKNOWN_THERE)
def test_what_scikit_learn_does_not_have_is_refused(classifier, three_classes, refuses, name):
    with refuses(SettingError, "MLPClassifier has no"):
        to_sklearn(classifier(**FITS[name]).fit(*three_classes))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["three", "two", "text", "labels"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fitted_one_of_scikit_learns_comes_over(three_classes, kind, solver):
    X, y = three_classes[0], answers(three_classes, kind)
    other = MLPClassifier((6,), max_iter=5, solver=solver, random_state=0).fit(X, y)
    model = from_sklearn(other)
    np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    assert model.loss_curve_ == list(getattr(other, "loss_curve_", []))
