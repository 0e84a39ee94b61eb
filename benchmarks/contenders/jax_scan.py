"""JAX: an epoch is one compiled call, a scan over its steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import LEARNING_RATES, Case
from benchmarks.contenders import seconds_of
from benchmarks.rows import Array, random_matrices

jax.config.update("jax_platforms", "cpu")

Tree = Any  # parameters, a list of (W, b), and what has their shape
_map = jax.tree.map


def training(case: Case, X: Array, y: Array) -> Callable[[], float]:
    features, labels, rng = jnp.asarray(X), jnp.asarray(y), np.random.default_rng(0)
    parameters = _parameters(case.sizes)
    moments = [_map(jnp.zeros_like, parameters) for _ in range(2)]
    state: Tree = (parameters,) if case.solver == "sgd" else (parameters, *moments, jnp.zeros((), jnp.int32))
    update = {"sgd": _sgd, "adam": _adam}[case.solver]

    @partial(jax.jit, donate_argnums=0)
    def train(state: Tree, features: jax.Array, labels: jax.Array, order: jax.Array) -> tuple[Tree, jax.Array]:
        def step(state: Tree, rows: jax.Array) -> tuple[Tree, jax.Array]:
            value, gradient = jax.value_and_grad(_loss)(state[0], features[rows], labels[rows])
            return update(state, gradient, LEARNING_RATES[case.solver]), value

        return jax.lax.scan(step, state, order)

    def epoch() -> None:
        nonlocal state
        order = rng.permutation(len(y)).astype(np.int32).reshape(-1, case.batch_size)
        state, losses = train(state, features, labels, order)
        losses.block_until_ready()

    return lambda: seconds_of(epoch, case.epochs)


def predicting(sizes: tuple[int, ...], X: Array) -> Callable[[], object]:
    parameters, features = _parameters(sizes), jnp.asarray(X)
    predict = jax.jit(lambda p, x: jax.nn.softmax(_logits(p, x)))
    return lambda: predict(parameters, features).block_until_ready()


def product(m: int, k: int, n: int) -> Callable[[], object]:
    A, B = map(jnp.asarray, random_matrices(m, k, n))
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(A, B).block_until_ready()


def _parameters(sizes: tuple[int, ...]) -> Tree:
    rng = np.random.default_rng(0)
    return [
        (jnp.asarray(rng.normal(0, np.sqrt(2 / (i + o)), (i, o)), jnp.float32), jnp.zeros(o, jnp.float32))
        for i, o in pairwise(sizes)
    ]


def _logits(parameters: Tree, a: jax.Array) -> jax.Array:
    for W, b in parameters[:-1]:
        a = jax.nn.sigmoid(a @ W + b)
    W, b = parameters[-1]
    return a @ W + b


def _loss(parameters: Tree, X: jax.Array, y: jax.Array) -> jax.Array:
    logarithms = jax.nn.log_softmax(_logits(parameters, X))
    return -jnp.take_along_axis(logarithms, y[:, None], axis=1).mean()


def _sgd(state: Tree, gradient: Tree, rate: float) -> Tree:
    return (_map(lambda W, g: W - rate * g, state[0], gradient),)


# as in the notebook's contender
def _adam(state: Tree, gradient: Tree, rate: float) -> Tree:
    parameters, m, v, t = state
    t = t + 1
    m = _map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
    v = _map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
    rate = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return _map(lambda W, m, v: W - rate * m / (jnp.sqrt(v) + 1e-8), parameters, m, v), m, v, t
