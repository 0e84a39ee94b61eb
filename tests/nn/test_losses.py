import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, log_expit, log_softmax, softmax, xlogy
from sklearn.metrics import mean_poisson_deviance

from mlplab.nn.losses import LOSSES, SigmoidFocal, SoftmaxFocal

SIGMOID, SOFTMAX = "logistic", "softmax"


def focal(T, log_p, gamma=2.0):
    return -(T * (1 - np.exp(log_p)) ** gamma * log_p).sum(axis=-1)


#: Nats of every row, by somebody else's hand.
ORACLES = {
    ("cross_entropy", SIGMOID): lambda z, T: -(T * log_expit(z) + (1 - T) * log_expit(-z)).sum(axis=-1),
    ("cross_entropy", SOFTMAX): lambda z, T: -(T * log_softmax(z, axis=-1)).sum(axis=-1),
    ("squared_error", SIGMOID): lambda z, T: 0.5 * ((expit(z) - T) ** 2).sum(axis=-1),
    ("squared_error", SOFTMAX): lambda z, T: 0.5 * ((softmax(z, axis=-1) - T) ** 2).sum(axis=-1),
    ("squared_error", "identity"): lambda z, T: 0.5 * ((z - T) ** 2).sum(axis=-1),
    ("focal", SIGMOID): lambda z, T: focal(T, log_expit(z)) + focal(1 - T, log_expit(-z)),
    ("focal", SOFTMAX): lambda z, T: focal(T, log_softmax(z, axis=-1)),
    ("poisson", "exp"): lambda z, T: (xlogy(T, T) - T * z - T + np.exp(z)).sum(axis=-1),
}
PREDICTIONS = {SIGMOID: expit, SOFTMAX: lambda z: softmax(z, axis=-1), "identity": lambda z: z, "exp": np.exp}
PAIRS = [(name, out) for name, losses in LOSSES.items() for out in losses]
CLASSES = [(name, out) for name, out in PAIRS if out in (SIGMOID, SOFTMAX)]
every_loss = pytest.mark.parametrize(("name", "out"), PAIRS)
every_loss_of_classes = pytest.mark.parametrize(("name", "out"), CLASSES)


@st.composite
def logits_and_targets(draw, out, largest=20.0):
    """Draw z and T (M, B, C): hard or soft shares, labels, counts or any numbers, as the output wants."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(2 if out == SOFTMAX else 1, 4)))
    z = draw(arrays(float, shape, elements=st.floats(-largest, largest)))
    rng, hard = np.random.default_rng(draw(st.integers(0, 99))), draw(st.booleans())
    if out == SOFTMAX:
        return z, np.eye(shape[2])[rng.integers(0, shape[2], shape[:2])] if hard else rng.dirichlet(
            np.ones(shape[2]), shape[:2]
        )
    if out == SIGMOID:
        return z, rng.integers(0, 2, shape).astype(float) if hard else rng.random(shape)
    return z, rng.poisson(2, shape).astype(float) if out == "exp" else rng.normal(size=shape)


def test_every_loss_has_an_oracle():
    assert list(ORACLES) == PAIRS


@every_loss
@given(st.data())
def test_value_is_the_nats_of_every_row(name, out, data):
    z, T = data.draw(logits_and_targets(out))
    kept = T.copy()
    value = LOSSES[name][out].value_and_delta(np, z.copy(), T)
    np.testing.assert_allclose(value, ORACLES[name, out](z, T), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(T, kept)


@every_loss
@given(st.data())
def test_delta_is_the_derivative_of_the_value(name, out, data):
    loss, (z, T) = LOSSES[name][out], data.draw(logits_and_targets(out, largest=6.0))
    delta, step = z.copy(), 1e-5
    loss.value_and_delta(np, delta, T)
    for c in range(z.shape[-1]):
        moved = step * np.eye(z.shape[-1])[c]
        above, below = (loss.value_and_delta(np, z + sign * moved, T) for sign in (1, -1))
        np.testing.assert_allclose(delta[..., c], (above - below) / (2 * step), rtol=1e-5, atol=1e-7)


@every_loss
@given(st.data())
def test_predictions_equal_the_oracles(name, out, data):
    z, _ = data.draw(logits_and_targets(out))
    p = z.copy()
    LOSSES[name][out].predict(np, p)
    np.testing.assert_allclose(p, PREDICTIONS[out](z), rtol=1e-12)


@every_loss_of_classes
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [100.0, 1e4, 1e30])
def test_no_logit_overflows_or_takes_the_logarithm_of_zero(name, out, dtype, size):
    loss = LOSSES[name][out]
    z = size * np.resize([1, -1, 0.5], (1, 6, 4)).astype(dtype)
    T = np.eye(4, dtype=dtype)[np.arange(6)[None] % 4]
    with np.errstate(all="raise", under="ignore"):
        p, delta = z.copy(), z.copy()
        value = loss.value_and_delta(np, delta, T)
        loss.predict(np, p)
    assert np.isfinite(value).all()
    assert (value >= 0).all()
    assert name == "squared_error" or value.max() >= size / 2
    assert np.isfinite(delta).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert {value.dtype.name, delta.dtype.name, p.dtype.name} == {dtype}


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_equal_logits_cost_the_logarithm_of_the_class_count(classes):
    T = np.eye(classes)[None]
    loss = LOSSES["cross_entropy"][SOFTMAX]
    np.testing.assert_allclose(loss.value_and_delta(np, np.zeros_like(T), T), np.log(classes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_probabilities_keep_their_digits(dtype):
    z = np.array([[[-50.0, -20.0, 20.0]]], dtype)
    LOSSES["cross_entropy"][SIGMOID].predict(np, z)
    np.testing.assert_allclose(z[0, 0], expit([-50, -20, 20]), rtol=1e-6)


def test_poisson_is_half_the_deviance():
    rng = np.random.default_rng(0)
    z, T = rng.normal(size=(1, 20, 1)), rng.poisson(2, (1, 20, 1)).astype(float)
    expected = mean_poisson_deviance(T.ravel(), np.exp(z).ravel()) / 2
    assert LOSSES["poisson"]["exp"].value_and_delta(np, z, T).mean() == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "out"), [(SoftmaxFocal, SOFTMAX), (SigmoidFocal, SIGMOID)])
def test_the_focal_loss_of_nearly_correct_rows_falls_with_gamma(kind, out):
    z, T = np.array([[[3.0, -3.0]]]), np.array([[[1.0, 0.0]]])
    values = [kind(gamma).value_and_delta(np, z.copy(), T).item() for gamma in (1, 2, 5)]
    assert LOSSES["cross_entropy"][out].value_and_delta(np, z.copy(), T).item() > values[0] > values[1] > values[2] > 0
