import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.finite_differences import check_gradients
from mlplab.nn.losses import LOSSES
from mlplab.nn.network import Network, Workspace
from mlplab.nn.noise import Noise
from mlplab.nn.normalization import NORMALIZATIONS, Running

AXES = {"batch": 1, "layer": 2}
every_normalization = pytest.mark.parametrize("name", NORMALIZATIONS)


def normalize(name, z, training=True):
    members, _, units = z.shape
    running, n = Running(np.zeros((members, 1, units)), np.ones((members, 1, units))), np.empty_like(z)
    scale = NORMALIZATIONS[name].forward(np, z, n, running, training)
    return n, scale, running


def networks(name, noise=None, members=1):
    noise = noise or Noise()
    net = Network(
        NumpyEngine("float64"), (4, 6, 5, 3), ACTIVATIONS["tanh"], True, members, NORMALIZATIONS.get(name), noise
    )
    net.theta.flat[...] = np.random.default_rng(0).normal(0, 0.7, net.theta.flat.shape)
    return net


def test_every_normalization_has_an_axis_here():
    assert set(AXES) == set(NORMALIZATIONS)


@every_normalization
@given(st.integers(0, 99), st.integers(1, 3), st.integers(2, 8), st.integers(2, 6))
def test_means_become_0_and_variances_1_along_the_axis(name, seed, members, rows, units):
    z = np.random.default_rng(seed).normal(3, 20, (members, rows, units))
    n, _, _ = normalize(name, z)
    axis, variance = AXES[name], z.var(axis=AXES[name])
    np.testing.assert_allclose(n.mean(axis=axis), 0, atol=1e-12)
    np.testing.assert_allclose(n.var(axis=axis), variance / (variance + 1e-5), rtol=1e-9)
    np.testing.assert_allclose(np.corrcoef(n.ravel(), n.ravel())[0, 1], 1)


@every_normalization
@given(st.integers(0, 99))
def test_backward_is_the_derivative_of_forward(name, seed):
    rng = np.random.default_rng(seed)
    z, upstream, step = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 3)), 1e-6
    n, scale, _ = normalize(name, z)
    dz = upstream.copy()
    NORMALIZATIONS[name].backward(np, n, scale, dz)
    for index in np.ndindex(z.shape):
        moved = np.zeros_like(z)
        moved[index] = step
        slope = (normalize(name, z + moved)[0] - normalize(name, z - moved)[0]) / (2 * step)
        np.testing.assert_allclose(dz[index], (upstream * slope).sum(), rtol=1e-5, atol=1e-7)


def test_batch_statistics_run_towards_those_of_the_rows_seen():
    rng = np.random.default_rng(0)
    running = Running(np.zeros((1, 1, 3)), np.ones((1, 1, 3)))
    for _ in range(300):
        z = rng.normal([1, -2, 30], [1, 5, 0.1], (1, 50, 3))
        NORMALIZATIONS["batch"].forward(np, z, np.empty_like(z), running, training=True)
    np.testing.assert_allclose(running.mean[0, 0], [1, -2, 30], atol=0.6)
    np.testing.assert_allclose(running.variance[0, 0], [1, 25, 0.01], rtol=0.2)


def test_predictions_use_and_keep_the_running_statistics():
    z = np.random.default_rng(0).normal(5, 2, (1, 7, 3))
    running = Running(np.full((1, 1, 3), 4.0), np.full((1, 1, 3), 9.0))
    n = np.empty_like(z)
    NORMALIZATIONS["batch"].forward(np, z, n, running, training=False)
    np.testing.assert_allclose(n, (z - 4) / np.sqrt(9 + 1e-5))
    assert (running.mean == 4).all()
    assert (running.variance == 9).all()


@every_normalization
@pytest.mark.parametrize("noise", [Noise(), Noise(0.3, 0.2, 0.1, 0.1)])
def test_gradients_of_a_normalised_network_match_differences(name, noise):
    net = networks(name, noise)
    X, T = np.random.default_rng(1).normal(size=(9, 4)), np.eye(3)[np.arange(9) % 3]
    outcome = check_gradients(net, LOSSES["cross_entropy"]["softmax"], X, T, weight_decay=0.1, sample=None)
    assert outcome.passed, str(outcome)
    assert outcome.checked == net.layout.count() == 4 * 6 + 6 * 5 + 5 * 3 + 6 + 5 + 3 + 2 * (6 + 5)


@every_normalization
def test_a_network_starts_with_gain_1_and_shift_0(name):
    net = Network(NumpyEngine("float64"), (4, 6, 5, 3), ACTIVATIONS["tanh"], normalization=NORMALIZATIONS[name])
    assert [(gain.min(), gain.max(), shift.any()) for gain, shift in net.theta.scales] == [(1, 1, False)] * 2


@every_normalization
def test_members_do_not_disturb_one_another(name):
    net, X = networks(name, members=3), np.random.default_rng(1).normal(size=(3, 9, 4))
    together = net.forward(X, Workspace(net, 9), training=True).copy()
    for m in range(3):
        alone = networks(name)
        alone.theta.flat[...] = net.theta.flat[m]
        np.testing.assert_allclose(alone.forward(X[m : m + 1], Workspace(alone, 9), training=True)[0], together[m])


def test_a_batch_of_one_row_leaves_the_running_statistics_alone():
    z = np.random.default_rng(0).normal(size=(1, 1, 4))
    running = Running(np.full((1, 1, 4), 2.0), np.full((1, 1, 4), 3.0))
    n = np.empty_like(z)
    NORMALIZATIONS["batch"].forward(np, z, n, running, True)
    np.testing.assert_array_equal(n, 0)
    np.testing.assert_array_equal(running.mean, 2)
    np.testing.assert_array_equal(running.variance, 3)
