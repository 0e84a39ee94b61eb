from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.nn.activations import ACTIVATIONS, Activation
from mlplab.nn.network import Network


@pytest.fixture(scope="session")
def network() -> Callable[..., Network]:
    """Make a network whose every parameter, biases included, is drawn from a normal distribution."""

    def make(sizes, activation: str | Activation = "tanh", fit_intercept=True, members=1, seed=0, dtype="float64"):
        if isinstance(activation, str):
            activation = ACTIVATIONS[activation]
        made = Network(NumpyEngine(dtype), sizes, activation, fit_intercept, members)
        made.theta.flat[...] = np.random.default_rng(seed).normal(0, 0.7, made.theta.flat.shape)
        return made

    return make
