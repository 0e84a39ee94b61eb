import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, ndtr

from mlplab.nn.activations import ACTIVATIONS

#: f(z) by somebody else's hand.
ORACLES = {
    "identity": lambda z: z,
    "sigmoid": expit,
    "logistic": expit,
    "tanh": np.tanh,
    "scaled_tanh": lambda z: 1.7159 * np.tanh(2 * z / 3),
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, z / 100),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0))),
    "gelu": lambda z: z * expit(2 * np.sqrt(2 / np.pi) * np.clip(z + 0.044715 * z**3, -1e3, 1e3)),
    "silu": lambda z: z * expit(z),
    "softplus": lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
    "mish": lambda z: z * np.tanh(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))),
}
EXTREME = np.array([-1e30, -1e4, -800.0, -100.0, -20.0, 0.0, 20.0, 100.0, 800.0, 1e4, 1e30])

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
#: Away from 0, where some have a kink and finite differences would straddle it.
smooth_z = arrays(float, (2, 3, 4), elements=st.floats(0.01, 8) | st.floats(-8, -0.01))


def forward(name, z):
    a = np.full_like(z, np.nan)
    ACTIVATIONS[name].forward(np, z.copy(), a)
    return a


def test_every_activation_has_an_oracle():
    assert set(ORACLES) == set(ACTIVATIONS)


@every_activation
@given(arrays(float, (2, 3, 4), elements=st.floats(-30, 30)))
def test_forward_equals_the_oracle(name, z):
    np.testing.assert_allclose(forward(name, z), ORACLES[name](z), rtol=1e-12, atol=1e-14)


@every_activation
@every_dtype
def test_forward_leaves_z_alone_or_works_in_its_place(name, dtype):
    activation = ACTIVATIONS[name]
    z = np.linspace(-3, 3, 24, dtype=dtype).reshape(2, 3, 4)
    expected, kept = ORACLES[name](z.astype(float)), z.copy()
    a = np.empty_like(z) if activation.needs_z else z
    activation.forward(np, z, a)
    np.testing.assert_allclose(a, expected, rtol=1e-6, atol=1e-7)
    assert a.dtype == dtype
    if activation.needs_z:
        np.testing.assert_array_equal(z, kept)


@every_activation
@given(smooth_z, st.integers(0, 99))
def test_backward_multiplies_by_the_derivative_of_forward(name, z, seed):
    upstream, step = np.random.default_rng(seed).normal(size=z.shape), 1e-5
    derivative = (forward(name, z + step) - forward(name, z - step)) / (2 * step)
    activation, da = ACTIVATIONS[name], upstream.copy()
    seen_z = z if activation.needs_z else np.full_like(z, np.nan)  # who does not need z must not read it
    activation.backward(np, seen_z, forward(name, z), da)
    np.testing.assert_allclose(da, upstream * derivative, rtol=1e-6, atol=1e-9)


@every_activation
@every_dtype
def test_no_input_overflows_or_divides_by_zero(name, dtype):
    z = EXTREME.astype(dtype)[None, None]
    with np.errstate(all="raise", under="ignore"):
        a = forward(name, z)
        da = np.ones_like(z)
        ACTIVATIONS[name].backward(np, z.copy(), a, da)
    assert np.isfinite(a).all()
    assert np.isfinite(da).all()
    np.testing.assert_allclose(a[0, 0], ORACLES[name](EXTREME), rtol=1e-6, atol=1e-6)


def test_relu_passes_nothing_back_at_zero_and_below():
    a, da = np.array([[[0.0, 0.0, 2.0]]]), np.ones((1, 1, 3))
    ACTIVATIONS["relu"].backward(np, a, a, da)
    np.testing.assert_array_equal(da, [[[0, 0, 1]]])


def test_gelu_is_close_to_the_exact_one():
    z = np.linspace(-8, 8, 1001)
    np.testing.assert_allclose(forward("gelu", z), z * ndtr(z), atol=5e-4)


def test_selu_keeps_mean_0_and_variance_1():
    a = forward("selu", np.random.default_rng(0).normal(size=1_000_000))
    assert abs(a.mean()) < 0.005
    assert abs(a.var() - 1) < 0.01


def test_scaled_tanh_has_the_fixed_points_it_was_made_for():
    np.testing.assert_allclose(forward("scaled_tanh", np.array([-1.0, 1.0])), [-1, 1], atol=1e-4)
