import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, log_expit, log_softmax, softmax

from mlplab.nn.losses import LOSSES

PAIRS = [(name, classes) for name in LOSSES for classes in (2, 3, 10)]
every_loss = pytest.mark.parametrize(("name", "classes"), PAIRS)

#: Nats of every row and probabilities by somebody else's hand: for one output, and for an output a class.
ORACLES = {
    "cross_entropy": (
        (lambda z, T: -(T * log_expit(z) + (1 - T) * log_expit(-z))[..., 0], expit),
        (lambda z, T: -(T * log_softmax(z, axis=-1)).sum(axis=-1), lambda z: softmax(z, axis=-1)),
    )
}


def parts(name, classes):
    """Return the loss, its oracles and its number of outputs."""
    multiclass = classes > 2
    return LOSSES[name][multiclass], *ORACLES[name][multiclass], classes if multiclass else 1


def hard_targets(codes, outputs):
    return np.eye(outputs)[codes] if outputs > 1 else codes[..., None].astype(float)


@st.composite
def logits_and_targets(draw, outputs, largest=20.0):
    """Draw z and T (M, B, C); the targets are hard or soft, and sum to 1 where there are several."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), outputs)
    z = draw(arrays(float, shape, elements=st.floats(-largest, largest)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if draw(st.booleans()):
        return z, hard_targets(rng.integers(0, max(outputs, 2), shape[:2]), outputs)
    return z, rng.dirichlet(np.ones(outputs), shape[:2]) if outputs > 1 else rng.random(shape)


def test_every_loss_has_an_oracle():
    assert set(ORACLES) == set(LOSSES)


@every_loss
@given(st.data())
def test_value_is_the_nats_of_every_row(name, classes, data):
    loss, oracle, _, outputs = parts(name, classes)
    z, T = data.draw(logits_and_targets(outputs))
    kept = T.copy()
    np.testing.assert_allclose(loss.value_and_delta(np, z.copy(), T), oracle(z, T), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(T, kept)


@every_loss
@given(st.data())
def test_delta_is_the_derivative_of_the_value(name, classes, data):
    loss, *_, outputs = parts(name, classes)
    z, T = data.draw(logits_and_targets(outputs, largest=8.0))
    delta, step = z.copy(), 1e-5
    loss.value_and_delta(np, delta, T)
    for c in range(outputs):
        moved = step * np.eye(outputs)[c]
        above, below = (loss.value_and_delta(np, z + sign * moved, T) for sign in (1, -1))
        np.testing.assert_allclose(delta[..., c], (above - below) / (2 * step), rtol=1e-6, atol=1e-9)


@every_loss
@given(st.data())
def test_probabilities_equal_the_oracles(name, classes, data):
    loss, _, oracle, outputs = parts(name, classes)
    z, _ = data.draw(logits_and_targets(outputs))
    p = z.copy()
    loss.probabilities(np, p)
    np.testing.assert_allclose(p, oracle(z), rtol=1e-9, atol=1e-15)


@every_loss
@given(st.data())
def test_the_decision_is_the_most_probable_class(name, classes, data):
    loss, _, oracle, outputs = parts(name, classes)
    z, _ = data.draw(logits_and_targets(outputs))
    p = oracle(z)
    p = np.concatenate([1 - p, p], axis=-1) if outputs == 1 else p
    decided = loss.decide(np, z.copy())
    assert decided.shape == z.shape[:2]
    np.testing.assert_array_equal(np.take_along_axis(p, decided[..., None], -1)[..., 0], p.max(axis=-1))


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [100.0, 1e4, 1e30])
def test_no_logit_overflows_or_takes_the_logarithm_of_zero(name, classes, dtype, size):
    loss, *_, outputs = parts(name, classes)
    z = size * np.resize([1, -1, 0.5], (1, 6, outputs)).astype(dtype)
    T = hard_targets(np.arange(6)[None] % classes, outputs).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        p, delta = z.copy(), z.copy()
        value = loss.value_and_delta(np, delta, T)
        loss.probabilities(np, p)
    assert np.isfinite(value).all()
    assert (value >= 0).all()
    assert value.max() >= size / 2
    assert np.isfinite(delta).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert {value.dtype.name, delta.dtype.name, p.dtype.name} == {dtype}


@every_loss
def test_knowing_nothing_costs_the_logarithm_of_the_number_of_classes(name, classes):
    loss, *_, outputs = parts(name, classes)
    T = hard_targets(np.arange(classes)[None], outputs)
    np.testing.assert_allclose(loss.value_and_delta(np, np.zeros_like(T), T), np.log(classes))
