import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from mlplab import load_model, save_model, scale_temperature
from mlplab.errors import DataError, SettingError
from mlplab.evaluation.calibration import calibration_of
from mlplab.nn.losses import SoftmaxCrossEntropy


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_calibration_is_as_in_the_paper(answers, bins):
    sure, right = map(np.array, zip(*answers, strict=True))
    found = calibration_of(sure, right, bins)
    error = 0.0
    for k, (low, high) in enumerate(zip(found.edges, found.edges[1:], strict=False)):
        inside = (sure > low) & (sure <= high) | ((k == 0) & (sure == 0))
        assert found.rows[k] == inside.sum()
        if inside.any():
            np.testing.assert_allclose(found.confidence[k], sure[inside].mean())
            np.testing.assert_allclose(found.accuracy[k], right[inside].mean())
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
        else:
            assert np.isnan(found.accuracy[k])
    np.testing.assert_allclose(found.error, error, atol=1e-12)


def test_no_bins_are_refused(refuses):
    with refuses(SettingError, "bins", "0"):
        calibration_of([0.5], [True], 0)


@pytest.fixture(scope="module")
def miscalibrated(classifier):
    """A network whose logits are a third of those that the labels were drawn with, and many rows of these."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 4))

    def make(classes, factor):
        model = classifier(dtype="float64").fit(X[:90], np.arange(90) % classes)
        model.coefs_ = [3 * W for W in model.coefs_]
        p = model.predict_proba(X)
        y = (rng.random(len(X))[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
        model.coefs_[-1][...] *= factor
        model.intercepts_[-1][...] *= factor
        return model, X, y

    return make


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("factor", [3, 1 / 3])
def test_the_temperature_that_was_put_in_is_found(miscalibrated, classes, factor):
    model, X, y = miscalibrated(classes, factor)
    found = scale_temperature(model, X, y)
    assert found.temperature == pytest.approx(factor, rel=0.1)
    assert found.error_after < 0.02 < found.error_before
    np.testing.assert_array_equal(found.model.predict(X), model.predict(X))


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_scikit_learns_temperature(miscalibrated, classes):
    model, X, y = miscalibrated(classes, 2)
    X, y = X[:500], y[:500]
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature", ensemble=False, cv=2).fit(X, y)
    found = scale_temperature(model, X, y)
    np.testing.assert_allclose(found.model.predict_proba(X), theirs.predict_proba(X), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["softmax", "one output", "labels"])
def test_it_is_the_logits_that_are_divided_and_the_losses_those_of_the_rows(classifier, three_classes, kind):
    X, y = three_classes
    y = {"softmax": y, "one output": y > 0, "labels": np.eye(3, dtype=int)[y] | (X[:, :3] > 1)}[kind]
    model = classifier(max_iter=30, learning_rate_init=0.01).fit(X, y)
    found = scale_temperature(model, X, y)
    z = model.network_.logits(X)
    p = {"softmax": lambda z: softmax(z, axis=1), "one output": lambda z: np.hstack([expit(-z), expit(z)])}
    expected = p.get(kind, expit)(z / found.temperature)
    np.testing.assert_allclose(found.model.predict_proba(X), expected, rtol=1e-6)

    def loss(T):
        p_ = p.get(kind, expit)(z / T)
        if kind == "labels":
            return -(y * np.log(p_) + (1 - y) * np.log(1 - p_)).sum(axis=1).mean()
        return -np.log(p_[np.arange(len(y)), y.astype(int)]).mean()

    assert found.loss_before == pytest.approx(loss(1))
    assert found.loss_after == pytest.approx(loss(found.temperature))
    assert loss(found.temperature) <= min(loss(0.98 * found.temperature), loss(1.02 * found.temperature))


def test_the_model_stays_as_it_was_and_the_result_can_be_saved_and_trained_on(classifier, three_classes, tmp_path):
    X, y = three_classes
    model = classifier(ema_decay=0.5).fit(X, y)
    before = model.predict_proba(X)
    scaled = scale_temperature(model, X, y).model
    np.testing.assert_array_equal(model.predict_proba(X), before)
    save_model(scaled, tmp_path / "scaled.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "scaled.safetensors").predict_proba(X), scaled.predict_proba(X))
    slow = scaled.set_params(learning_rate_init=1e-9)
    expected = slow.predict_proba(X)
    np.testing.assert_allclose(slow.partial_fit(X, y).predict_proba(X), expected, atol=0.2)


def test_what_cannot_be_scaled_is_refused(classifier, three_classes, refuses):
    X, y = three_classes
    model = classifier().fit(X, y)
    with refuses(DataError, "not among the known classes"):
        scale_temperature(model, X, y + 1)
    with refuses(DataError, "90 rows and y has 80"):
        scale_temperature(model, X, y[:80])
    own = type("Sparsemax", (SoftmaxCrossEntropy,), {"out_activation": "sparsemax"})()
    with refuses(SettingError, "'sparsemax'"):
        scale_temperature(classifier(loss=own).fit(X, y), X, y)
