import sys

import numpy as np
import onnxruntime
import pytest

from mlplab import to_onnx
from mlplab.errors import MissingExtraError, SettingError
from mlplab.nn.activations import ACTIVATIONS, Tanh
from mlplab.nn.losses import LOSSES
from mlplab.nn.normalization import NORMALIZATIONS


def run(path, X):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X.astype(np.float32)})[0]


def assert_onnx_says_the_same(model, X, path):
    to_onnx(model, path)
    np.testing.assert_allclose(run(path, X), model.predict_proba(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_onnx_runtime_computes_every_activation(classifier, three_classes, tmp_path, activation):
    X, y = three_classes
    model = classifier(activation=activation, initializer="lecun_normal").fit(X, y)
    for scale in (1, 30):  # where their tails are
        assert_onnx_says_the_same(model, X * scale, tmp_path / "model.onnx")


def test_onnx_runtime_computes_every_kind_of_network(classifier, three_classes, tmp_path, network):
    X, y = three_classes
    assert_onnx_says_the_same(classifier(**network).fit(X, y), X, tmp_path / "model.onnx")


def test_onnx_runtime_computes_every_kind_of_answer(classifier, answered, tmp_path):
    X, y = answered
    assert_onnx_says_the_same(classifier().fit(X, y), X, tmp_path / "model.onnx")


def test_onnx_runtime_computes_values(values, tmp_path):
    X, model = values
    to_onnx(model, tmp_path / "model.onnx")
    given = run(tmp_path / "model.onnx", X)
    np.testing.assert_allclose(given.reshape(model.predict(X).shape), model.predict(X), rtol=1e-4, atol=1e-5)
    assert given.ndim == 2


def test_an_activation_of_ones_own_is_written_too(classifier, three_classes, tmp_path):
    class Bent(Tanh):
        def forward(self, xp, z, a):
            np.arctan(z, out=a)
            a -= np.where(z > 0, 0.1 * z, z >= -1)

    X, y = three_classes
    assert_onnx_says_the_same(classifier(activation=Bent()).fit(X, y), X, tmp_path / "model.onnx")


def test_a_normalization_of_ones_own_is_refused(classifier, three_classes, refuses, tmp_path):
    base = NORMALIZATIONS["layer"]
    own = type("Own", (), {"runs": False, "forward": base.forward, "backward": base.backward})()
    model = classifier(normalization=own).fit(*three_classes)
    with refuses(SettingError, "of your own cannot be exported to ONNX"):
        to_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_an_output_of_ones_own_is_refused(classifier, three_classes, refuses, tmp_path):
    own = type("Own", (type(LOSSES["cross_entropy"]["softmax"]),), {"out_activation": "sparsemax"})()
    with refuses(SettingError, "'sparsemax'"):
        to_onnx(classifier(loss=own).fit(*three_classes), tmp_path / "model.onnx")


def test_without_onnx_the_message_names_what_to_install(classifier, three_classes, refuses, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refuses(MissingExtraError, "pip install 'mlplab[onnx]'"):
        to_onnx(classifier().fit(*three_classes), tmp_path / "model.onnx")
