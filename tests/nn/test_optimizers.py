import pickle
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.nn import optimizers
from mlplab.nn.optimizers import OPTIMIZERS

ROWS, STEPS = 4, 5
MEMBERS = 3
RATES = np.array([0.3, 0.01, 0.1])


@dataclass
class Hyper:
    """The settings that optimizers read, with values that are not the defaults."""

    momentum: float = 0.0
    nesterovs_momentum: bool = False
    beta_1: float = 0.8
    beta_2: float = 0.95
    epsilon: float = 1e-3
    rho: float = 0.85
    clip_norm: float | None = None
    l1: float = 0.0


# The papers' equations on one member's flat vector. Each is (state, theta, gradient, t, lr, hyper) -> theta.


# Robbins and Monro 1951
def plain(state, theta, g, t, lr, hyper):
    return theta - lr * g


# Sutskever et al. 2013, equations 1 and 2
def momentum(state, theta, g, t, lr, hyper):
    state["v"] = hyper.momentum * state.get("v", 0) - lr * g
    return theta + state["v"]


# Sutskever et al. 2013, equations 3 and 4: the gradient is taken at θ + μv, and that point is what the network holds
def nesterov(state, looked_ahead, g, t, lr, hyper):
    theta = looked_ahead - hyper.momentum * state.get("v", 0)
    state["v"] = hyper.momentum * state.get("v", 0) - lr * g
    return theta + state["v"] + hyper.momentum * state["v"]


# Kingma and Ba 2015, algorithm 1, with the corrections in the step size: ε̂ = ε there
def adam(state, theta, g, t, lr, hyper):
    state["m"] = hyper.beta_1 * state.get("m", 0) + (1 - hyper.beta_1) * g
    state["v"] = hyper.beta_2 * state.get("v", 0) + (1 - hyper.beta_2) * g**2
    step = lr * np.sqrt(1 - hyper.beta_2**t) / (1 - hyper.beta_1**t)
    return theta - step * state["m"] / (np.sqrt(state["v"]) + hyper.epsilon)


# Loshchilov and Hutter 2019, algorithm 2: the decay, of weights alone, is beside Adam's step
def adamw(state, theta, g, t, lr, hyper):
    return adam(state, theta, g, t, lr, hyper) - lr * state["decay"] * theta


# Dozat 2016, algorithm 2 with a constant μ: m̂ looks one step ahead; ε̂ as in Kingma and Ba's rule above
def nadam(state, theta, g, t, lr, hyper):
    b1, b2 = hyper.beta_1, hyper.beta_2
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
    ahead = b1 * state["m"] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    return theta - lr * np.sqrt(1 - b2**t) * ahead / (np.sqrt(state["v"]) + hyper.epsilon)


# Tieleman and Hinton 2012, slide 29
def rmsprop(state, theta, g, t, lr, hyper):
    state["v"] = hyper.rho * state.get("v", 0) + (1 - hyper.rho) * g**2
    return theta - lr * g / (np.sqrt(state["v"]) + hyper.epsilon)


# Pascanu et al. 2013, algorithm 1
def clipped(state, theta, g, t, lr, hyper):
    norm = np.linalg.norm(g)
    return theta - lr * g * min(1, hyper.clip_norm / norm)


CASES = {
    "plain": ("sgd", Hyper(), plain),
    "momentum": ("sgd", Hyper(momentum=0.9), momentum),
    "nesterov": ("sgd", Hyper(momentum=0.9, nesterovs_momentum=True), nesterov),
    "adam": ("adam", Hyper(), adam),
    "adamw": ("adamw", Hyper(), adamw),
    "nadam": ("nadam", Hyper(), nadam),
    "rmsprop": ("rmsprop", Hyper(), rmsprop),
    "clipped": ("sgd", Hyper(clip_norm=0.5), clipped),
}
every_case = pytest.mark.parametrize(("solver", "hyper", "rule"), CASES.values(), ids=CASES)
every_optimizer = pytest.mark.parametrize("solver", OPTIMIZERS)


def draw_pairs(rng, net):
    """Return a layer's input and delta for every layer, as back-propagation would hand them over."""
    sizes, lead = net.sizes, (net.members, ROWS)
    return [(rng.normal(size=(*lead, i)), rng.normal(size=(*lead, o))) for i, o in pairwise(sizes)]


def walk(net, optimizer, steps, rates, decay):
    """Make a step for each of `steps`, a list of pairs for every layer."""
    for pairs in steps:
        optimizer.begin_step(np.full(len(rates), float(ROWS)), rates, decay)
        for layer in reversed(range(len(pairs))):
            optimizer.receive(layer, *pairs[layer])
        optimizer.end_step()


def flat_gradient(net, pairs, m, theta, decay):
    """Return the gradient of the objective for one member, in the order of the flat vector."""
    weights = np.concatenate([(a[m].T @ dz[m]).ravel() for a, dz in pairs]) / ROWS
    biases = [dz[m].sum(axis=0) / ROWS for _, dz in pairs] if net.fit_intercept else []
    return np.concatenate([weights + decay[m] * theta[: weights.size], *biases])


def own_decay(net, decay):
    """Return the decay of each parameter: weights have it, biases have none."""
    return np.where(np.arange(net.theta.flat.shape[1]) < net.theta.weight_count, decay, 0)


def test_every_optimizer_has_its_equations_here():
    assert {"muon", *(solver for solver, *_ in CASES.values())} == set(OPTIMIZERS)


@every_case
def test_blocks_threads_and_padded_rows_do_not_change_steps(network, solver, hyper, rule, monkeypatch):
    steps = [draw_pairs(np.random.default_rng(seed), network((3, 256, 2), members=MEMBERS)) for seed in range(STEPS)]

    def train(block, threads):
        net = network((3, 256, 2), members=MEMBERS)  # 256 float64 are 2 KiB: such rows are laid apart
        net.theta.flat[...] = 0
        monkeypatch.setattr(optimizers, "BLOCK", block)
        monkeypatch.setattr(net.engine, "_threads", lambda: threads)
        walk(net, OPTIMIZERS[solver](net, hyper), steps, RATES, np.full(MEMBERS, 0.1))
        return net.theta

    whole, blocks = train(10**6, 1), train(57, 3)
    np.testing.assert_array_equal(blocks.flat, whole.flat)
    between = np.ones_like(whole.flat)
    for view in (part for parts in (whole.weights, whole.biases) for part in parts):
        assert view.any()
        offset = (view.ctypes.data - whole.flat.ctypes.data) // 8
        for m in range(MEMBERS):
            at = np.lib.stride_tricks.as_strided(between[m, offset:], view.shape[1:], view.strides[1:])
            at[...] = 0
    assert between.any()
    assert not whole.flat[between == 1].any()


@every_case
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sizes", [(3, 4, 2), (3, 2), (1, 1, 1)])
@pytest.mark.parametrize("decay", [np.zeros(MEMBERS), np.array([0.2, 0.0, 1.5])])
def test_steps_are_the_papers_equations(network, solver, hyper, rule, fit_intercept, sizes, decay):
    net, rng = network(sizes, fit_intercept=fit_intercept, members=MEMBERS), np.random.default_rng(1)
    steps, expected = [draw_pairs(rng, net) for _ in range(STEPS)], net.theta.flat.copy()
    walk(net, OPTIMIZERS[solver](net, hyper), steps, RATES, decay)
    for m in range(MEMBERS):
        theta, state = expected[m], {}
        for t, pairs in enumerate(steps, start=1):
            state["decay"] = own_decay(net, decay[m])
            penalty = np.zeros(MEMBERS) if OPTIMIZERS[solver](net, hyper).decoupled else decay
            theta = rule(state, theta, flat_gradient(net, pairs, m, theta, penalty), t, RATES[m], hyper)
        np.testing.assert_allclose(net.theta.flat[m], theta, rtol=1e-10, atol=1e-12)


@every_case
def test_rates_may_change_from_step_to_step(network, solver, hyper, rule):
    net, rng = network((2, 3)), np.random.default_rng(2)
    optimizer, theta, state = OPTIMIZERS[solver](net, hyper), net.theta.flat[0].copy(), {}
    for t, (rate, decay) in enumerate([(0.1, 0.0), (0.5, 0.3), (0.02, 0.1)], start=1):
        pairs, rates, decays = draw_pairs(rng, net), np.array([rate]), np.array([decay])
        state["decay"] = own_decay(net, decay)
        penalty = np.zeros(1) if optimizer.decoupled else decays
        theta = rule(state, theta, flat_gradient(net, pairs, 0, theta, penalty), t, rate, hyper)
        walk(net, optimizer, [pairs], rates, decays)
    np.testing.assert_allclose(net.theta.flat[0], theta, rtol=1e-10, atol=1e-12)


@every_optimizer
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.booleans(), st.integers(0, 99))
def test_a_member_is_trained_as_if_it_were_alone(network, solver, sizes, fit_intercept, seed):
    hyper, decay = Hyper(momentum=0.5), np.array([0.0, 0.5, 0.1])
    together, rng = network(sizes, fit_intercept=fit_intercept, members=MEMBERS), np.random.default_rng(seed)
    start, steps = together.theta.flat.copy(), [draw_pairs(rng, together) for _ in range(3)]
    walk(together, OPTIMIZERS[solver](together, hyper), steps, RATES, decay)
    for m in range(MEMBERS):
        alone, own = network(sizes, fit_intercept=fit_intercept), slice(m, m + 1)
        alone.theta.flat[...] = start[own]
        own_steps = [[(np.ascontiguousarray(a[own]), dz[own]) for a, dz in pairs] for pairs in steps]
        walk(alone, OPTIMIZERS[solver](alone, hyper), own_steps, RATES[own], decay[own])
        np.testing.assert_allclose(together.theta.flat[m], alone.theta.flat[0], rtol=1e-12, atol=1e-14)


@every_optimizer
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_it_finds_the_minimum_of_a_bowl(network, solver, momentum):
    net, goal = network((3, 3), fit_intercept=False), np.arange(9.0).reshape(1, 3, 3)
    optimizer, identity = OPTIMIZERS[solver](net, Hyper(momentum=momentum)), np.eye(3)[None]
    for t in range(1000):
        optimizer.begin_step(np.ones(1), np.array([0.2 * 0.995**t]), np.zeros(1))
        optimizer.receive(0, identity, net.theta.weights[0] - goal)  # the gradient of ½·‖W - goal‖²
        optimizer.end_step()
    np.testing.assert_allclose(net.theta.weights[0], goal, atol=0.02)


@every_optimizer
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_decay_shrinks_weights_and_leaves_biases_alone(network, solver, momentum):
    net = network((3, 2))
    before, no_gradient = net.theta.flat.copy(), [[(np.zeros((1, ROWS, 3)), np.zeros((1, ROWS, 2)))]]
    walk(net, OPTIMIZERS[solver](net, Hyper(momentum=momentum)), no_gradient, np.array([1e-3]), np.array([0.5]))
    weights, biases = net.theta.flat[:, :6], net.theta.flat[:, 6:]
    assert (np.abs(weights) < np.abs(before[:, :6])).all()
    np.testing.assert_array_equal(biases, before[:, 6:])


@pytest.mark.parametrize("sizes", [(6, 4, 3), (4, 6, 5, 3), (5, 5, 2)])
def test_muon_steps_are_orthogonal_and_adamws_in_the_last_layer(network, sizes):
    hyper, decay = Hyper(momentum=0.9), np.array([0.2])
    net, other = network(sizes), network(sizes)
    before, rng = [W[0].copy() for W in net.theta.weights], np.random.default_rng(0)
    pairs = draw_pairs(rng, net)
    walk(net, OPTIMIZERS["muon"](net, hyper), [pairs], np.array([0.1]), decay)
    walk(other, OPTIMIZERS["adamw"](other, hyper), [pairs], np.array([0.1]), decay)
    for W, start, (a, dz) in list(zip(net.theta.weights, before, pairs, strict=True))[:-1]:
        step = (start * (1 - 0.1 * 0.2) - W[0]) / (0.1 * 0.2 * np.sqrt(max(W.shape[1:])))
        # their five iterations bring every singular value near to 1, in the gradient's own directions
        U, _, Vt = np.linalg.svd(a[0].T @ dz[0], full_matrices=False)
        values = np.diagonal(U.T @ step @ Vt.T)[: ROWS if min(W.shape[1:]) > ROWS else None]
        assert ((values > 0.6) & (values < 1.3)).all(), values
    tail = slice(sum(i * o for i, o in pairwise(sizes[:-1])), None)
    weights_of_hidden = sum(W[0].size for W in net.theta.weights[:-1])
    assert tail.start == weights_of_hidden
    np.testing.assert_array_equal(net.theta.flat[:, tail], other.theta.flat[:, tail])


def test_l1_pulls_every_weight_towards_0_and_leaves_biases_alone(network):
    net = network((3, 2))
    before, no_gradient = net.theta.flat.copy(), [[(np.zeros((1, ROWS, 3)), np.zeros((1, ROWS, 2)))]]
    walk(net, OPTIMIZERS["sgd"](net, Hyper(l1=0.5)), no_gradient, np.array([1e-2]), np.zeros(1))
    expected = before - 1e-2 * np.where(np.arange(8) < 6, 0.5 * np.sign(before), 0)
    np.testing.assert_allclose(net.theta.flat, expected)


@every_optimizer
def test_each_members_gradient_is_clipped_by_its_own_norm(network, solver):
    hyper = Hyper(clip_norm=1.0)
    one, two = (network((3, 4, 2), members=2) for _ in range(2))
    pairs = [(a, dz * np.array([1e-3, 1])[:, None, None]) for a, dz in draw_pairs(np.random.default_rng(0), one)]
    walk(one, OPTIMIZERS[solver](one, hyper), [pairs], np.full(2, 0.1), np.zeros(2))
    walk(two, OPTIMIZERS[solver](two, Hyper()), [pairs], np.full(2, 0.1), np.zeros(2))
    np.testing.assert_allclose(one.theta.flat[0], two.theta.flat[0], rtol=1e-12)  # its norm was below
    assert (one.theta.flat[1] != two.theta.flat[1]).any()


@every_optimizer
def test_pickled_with_its_network_it_continues_bit_for_bit(network, solver):
    net, rng = network((3, 4, 2), members=2), np.random.default_rng(0)
    steps = [draw_pairs(rng, net) for _ in range(6)]
    optimizer = OPTIMIZERS[solver](net, Hyper(momentum=0.5))
    walk(net, optimizer, steps[:3], np.full(2, 0.1), np.full(2, 0.1))
    twin, its_optimizer = pickle.loads(pickle.dumps((net, optimizer)))
    walk(net, optimizer, steps[3:], np.full(2, 0.1), np.full(2, 0.1))
    walk(twin, its_optimizer, steps[3:], np.full(2, 0.1), np.full(2, 0.1))
    np.testing.assert_array_equal(twin.theta.flat, net.theta.flat)
