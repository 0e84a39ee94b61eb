import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.network import GradientWriter, Layout, Network, Parameters, Workspace, count_parameters

widths = st.integers(1, 5)
#: Inputs, none to three hidden layers, outputs.
shapes = st.lists(widths, min_size=2, max_size=5)
members_, rows_, seeds = st.integers(1, 3), st.integers(1, 4), st.integers(0, 99)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
DTYPES = {"float32": 1e-5, "float64": 1e-12}


class Receives:
    """Hands what a network gives to a function."""

    def __init__(self, receive):
        self.receive = receive


def apply(activation, z):
    a = np.empty_like(z)
    ACTIVATIONS[activation].forward(np, z.copy(), a)
    return a


def derivative(activation, z, step=1e-6):
    return (apply(activation, z + step) - apply(activation, z - step)) / (2 * step)


def written_out(net, activation, m, X):
    """Return one member's inputs and pre-activations of every layer, in float64."""
    inputs, zs, last = [X[m].astype(float)], [], len(net.sizes) - 2
    for layer, W in enumerate(net.theta.weights):
        b = net.theta.biases[layer][m].astype(float) if net.fit_intercept else 0
        zs.append(inputs[-1] @ W[m].astype(float) + b)
        inputs.append(apply(activation, zs[-1]) if layer < last else zs[-1])
    return inputs, zs


@every_activation
@pytest.mark.parametrize("dtype", DTYPES)
@given(shapes, members_, rows_, st.booleans(), seeds)
def test_forward_is_the_formula_written_out(network, activation, dtype, sizes, members, rows, fit_intercept, seed):
    net = network(sizes, activation, fit_intercept, members, seed, dtype)
    X = np.random.default_rng(seed).normal(size=(members, rows, sizes[0])).astype(dtype)
    kept = X.copy()
    logits = net.forward(X, Workspace(net, rows))
    assert logits.shape == (members, rows, sizes[-1])
    for m in range(members):
        expected = written_out(net, activation, m, X)[0][-1]
        np.testing.assert_allclose(logits[m], expected, rtol=DTYPES[dtype], atol=10 * DTYPES[dtype])
    np.testing.assert_array_equal(X, kept)


@every_activation
@given(shapes, members_, rows_, st.booleans(), seeds)
def test_backward_is_the_chain_rule_written_out(network, activation, sizes, members, rows, fit_intercept, seed):
    net, rng = network(sizes, activation, fit_intercept, members, seed), np.random.default_rng(seed)
    X, dz = rng.normal(size=(members, rows, sizes[0])), rng.normal(size=(members, rows, sizes[-1]))
    work, received = Workspace(net, rows), []
    net.forward(X, work)
    net.backward(dz.copy(), work, Receives(lambda layer, a, delta: received.append((layer, a.copy(), delta.copy()))))

    assert [layer for layer, *_ in received] == list(reversed(range(len(sizes) - 1)))
    for m in range(members):
        inputs, zs = written_out(net, activation, m, X)
        assume(all((np.abs(z) > 1e-5).all() for z in zs[:-1]))  # no finite difference across a kink at 0
        delta = dz[m]
        for layer, a, received_delta in received:
            np.testing.assert_allclose(a[m], inputs[layer], atol=1e-12)
            np.testing.assert_allclose(received_delta[m], delta, rtol=1e-6, atol=1e-8)
            if layer > 0:
                delta = (delta @ net.theta.weights[layer][m].T) * derivative(activation, zs[layer - 1])


def test_a_receiver_may_change_the_weights_on_the_spot(network):
    net, rng = network((3, 4, 5, 2)), np.random.default_rng(0)
    X, dz, work = rng.normal(size=(1, 6, 3)), rng.normal(size=(1, 6, 2)), Workspace(net, 6)
    deltas = {}

    def walk(receive):
        net.forward(X, work)
        net.backward(dz.copy(), work, Receives(receive))

    walk(lambda layer, a, delta: deltas.update({layer: delta.copy()}))

    def compare_and_spoil(layer, a, delta):
        np.testing.assert_array_equal(delta, deltas[layer])
        net.theta.weights[layer][...] = np.nan

    walk(compare_and_spoil)


@given(shapes, members_, rows_, st.booleans(), seeds)
def test_the_gradient_writer_divides_the_sums_over_the_rows(network, sizes, members, rows, fit_intercept, seed):
    net, rng = network(sizes, fit_intercept=fit_intercept, members=members), np.random.default_rng(seed)
    writer = GradientWriter(net)
    writer.begin(np.full(members, 2.5), np.zeros(members))
    for layer, (i, o) in enumerate(pairwise(sizes)):
        a, dz = rng.normal(size=(members, rows, i)), rng.normal(size=(members, rows, o))
        writer.receive(layer, a, dz)
        np.testing.assert_allclose(writer.gradient.weights[layer], np.einsum("mbi,mbo->mio", a, dz) / 2.5, atol=1e-12)
        if fit_intercept:
            np.testing.assert_allclose(writer.gradient.biases[layer][:, 0], dz.sum(axis=1) / 2.5, atol=1e-12)


def test_a_workspace_can_be_used_again(network):
    net, rng = network((3, 4, 2)), np.random.default_rng(0)
    work = Workspace(net, 5)
    for X in rng.normal(size=(2, 1, 5, 3)):
        np.testing.assert_array_equal(net.forward(X, work), net.forward(X, Workspace(net, 5)))


@given(shapes, members_, st.booleans())
def test_the_flat_vector_holds_every_weight_and_then_every_bias(sizes, members, fit_intercept):
    count = count_parameters(sizes, fit_intercept)
    flat = np.arange(members * count, dtype=float).reshape(members, count)
    theta = Parameters.over(NumpyEngine("float64"), flat, Layout(tuple(sizes), fit_intercept))
    parts = [*theta.weights, *theta.biases]
    np.testing.assert_array_equal(np.concatenate([part.reshape(members, -1) for part in parts], axis=1), flat)
    assert [W.shape for W in theta.weights] == [(members, i, o) for i, o in pairwise(sizes)]
    assert [b.shape for b in theta.biases] == [(members, 1, o) for o in sizes[1:] if fit_intercept]
    assert all(np.shares_memory(part, flat) for part in parts)
    assert theta.weight_count == sum(W[0].size for W in theta.weights)


@pytest.mark.parametrize(
    ("fit_intercept", "expected"), [(True, 784 * 10 + 10 + 10 * 3 + 3), (False, 784 * 10 + 10 * 3)]
)
def test_parameters_are_counted(fit_intercept, expected):
    assert count_parameters((784, 10, 3), fit_intercept) == expected


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_the_layers_of_a_copied_network_are_views_of_its_vector(network, copied):
    net = network((3, 4, 2), members=2)
    twin = copied(net)
    np.testing.assert_array_equal(twin.theta.flat, net.theta.flat)
    twin.theta.flat[...] = 7
    assert all((part == 7).all() for part in [*twin.theta.weights, *twin.theta.biases])
    assert not (net.theta.flat == 7).any()


def test_every_member_is_drawn_from_its_own_generator_alone():
    def draw(*seeds):
        net = Network(NumpyEngine("float64"), (3, 4, 2), ACTIVATIONS["tanh"], members=len(seeds))
        net.theta.flat[...] = np.nan
        net.initialize([lambda rng, i, o: rng.normal(size=(i, o))] * 2, [np.random.default_rng(seed) for seed in seeds])
        return net.theta

    together = draw(1, 2, 3)
    for m, seed in enumerate((1, 2, 3)):
        np.testing.assert_array_equal(together.flat[m], draw(seed).flat[0])
        rng = np.random.default_rng(seed)
        for W in together.weights:
            np.testing.assert_array_equal(W[m], rng.normal(size=W.shape[1:]))
    assert all((b == 0).all() for b in together.biases)


def test_repr_shows_the_shape_and_the_size(network):
    assert repr(network((784, 100, 10), members=3)) == "<Network 784-100-10, 79,510 parameters, members=3>"
