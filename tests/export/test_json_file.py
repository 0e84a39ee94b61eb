import json

import numpy as np

from mlplab import to_json
from mlplab.errors import SettingError
from mlplab.nn.activations import ACTIVATIONS

FUNCTIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "gelu": lambda z: 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "identity": lambda z: z,
    "exp": np.exp,
}


def compute(network, a):
    """The description in docs/export.md, written out."""
    for layer in network["layers"]:
        a = a @ np.array(layer["weights"]) + layer["biases"]
        if "layer_normalization" in layer:
            norm = layer["layer_normalization"]
            a = (a - a.mean(axis=1, keepdims=True)) / np.sqrt(a.var(axis=1, keepdims=True) + norm["epsilon"])
            a = a * norm["gain"] + norm["shift"]
        a = FUNCTIONS[layer.get("activation", "identity")](a)
    return FUNCTIONS[network["output"]](a)


def written(model, path):
    to_json(model, path)
    return json.loads(path.read_text())


def test_it_is_enough_to_predict_with(classifier, three_classes, network, tmp_path):
    X, y = three_classes
    model = classifier(**network).fit(X, y)
    found = written(model, tmp_path / "model.json")
    np.testing.assert_allclose(compute(found, X), model.predict_proba(X), rtol=1e-4, atol=1e-6)
    assert found["classes"] == [0, 1, 2]
    assert found["feature_names"] is None


def test_every_kind_of_target_is_exported(classifier, answered, tmp_path):
    X, y = answered
    model = classifier().fit(X, y)
    found = written(model, tmp_path / "model.json")
    p = compute(found, X)
    if p.shape[1] == 1 and len(found["classes"]) == 2:
        p = np.hstack([1 - p, p])
    elif len(found["classes"]) == 1:
        p = np.ones_like(p)
    np.testing.assert_allclose(p, model.predict_proba(X), rtol=1e-4, atol=1e-6)
    assert found["classes"] == model.classes_.tolist()
    assert found["multilabel"] == model.multilabel_


def test_values_are_computed(values, tmp_path):
    X, model = values
    found = compute(written(model, tmp_path / "model.json"), X)
    np.testing.assert_allclose(found.reshape(model.predict(X).shape), model.predict(X), rtol=1e-4, atol=1e-5)


def test_the_numbers_are_those_of_the_weights_to_the_last_bit(classifier, three_classes, tmp_path):
    model = classifier(dtype="float32").fit(*three_classes)
    weights = written(model, tmp_path / "model.json")["layers"][0]["weights"]
    np.testing.assert_array_equal(np.array(weights, np.float32), model.coefs_[0])


def test_an_activation_of_ones_own_is_refused(classifier, three_classes, refuses, tmp_path):
    own = type(ACTIVATIONS["tanh"])()
    with refuses(SettingError, "an activation of your own cannot be exported to JSON"):
        to_json(classifier(activation=own).fit(*three_classes), tmp_path / "model.json")
    assert not list(tmp_path.iterdir())
