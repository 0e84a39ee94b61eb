import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.network import Network, Workspace
from mlplab.nn.noise import Noise, add_normal, draw_mask

X = np.random.default_rng(1).normal(size=(2, 9, 4))


def generators(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def network(**noise):
    net = Network(NumpyEngine("float64"), (4, 6, 3), ACTIVATIONS["tanh"], True, 2, noise=Noise(**noise))
    net.theta.flat[...] = np.random.default_rng(0).normal(0, 0.7, net.theta.flat.shape)
    return net


@given(st.floats(0, 0.9), st.sampled_from(["float32", "float64"]))
def test_a_mask_holds_its_share_of_zeros_and_has_mean_1(share, dtype):
    mask = np.empty((2, 200, 300), dtype)
    draw_mask(NumpyEngine(dtype), generators(0, 1), share, mask)
    zeros, error = (mask == 0).mean(), 4 * np.sqrt(0.25 / mask.size)
    assert abs(zeros - share) < error + 1 / 65_536
    np.testing.assert_allclose(mask[mask > 0], 1 / (1 - share), rtol=1e-3)
    assert abs(mask.mean() - 1) < 4 * np.sqrt(share / (1 - share) / mask.size) + 1e-6


def test_members_draw_from_their_own_generators():
    engine, together, alone = NumpyEngine("float64"), np.empty((2, 5, 6)), np.empty((1, 5, 6))
    draw_mask(engine, generators(0, 1), 0.5, together)
    draw_mask(engine, generators(1), 0.5, alone)
    np.testing.assert_array_equal(together[1:], alone)
    assert (together[0] != together[1]).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_noise_has_its_deviation(dtype):
    x = np.full((2, 200, 300), 5, dtype)
    add_normal(NumpyEngine(dtype), generators(0, 1), 0.3, x)
    assert x.dtype == dtype
    np.testing.assert_allclose([x.mean(), x.std()], [5, 0.3], rtol=0.01)


@pytest.mark.parametrize("noise", [{"dropout": 0.5}, {"input_dropout": 0.5}, {"input_noise": 1}, {"hidden_noise": 1}])
def test_noise_is_there_in_training_and_nowhere_else(noise):
    net, quiet, kept = network(**noise), network(), X.copy()
    work = Workspace(net, 9)
    expected = quiet.forward(X, Workspace(quiet, 9)).copy()
    first, second = (net.forward(X, work, training=True).copy() for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(net.forward(X, work), expected)
    np.testing.assert_array_equal(X, kept)


def test_dropout_keeps_the_mean_output_of_a_linear_layer():
    net, quiet = network(dropout=0.5), network()
    work = Workspace(net, 9)
    mean = np.mean([net.forward(X, work, training=True).copy() for _ in range(4000)], axis=0)
    np.testing.assert_allclose(mean, quiet.forward(X, Workspace(quiet, 9)), atol=0.1)


def test_no_noise_is_false():
    assert not Noise()
    assert Noise(hidden_noise=0.1)
