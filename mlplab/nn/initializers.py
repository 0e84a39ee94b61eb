"""Initial weights. Each function draws an (I, O) matrix from a generator that is passed in; biases start at zero."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from mlplab.engine.numpy_engine import Array

#: Draws an (inputs, outputs) matrix in float64; a function of your own with this signature is one too.
Initializer = Callable[[np.random.Generator, int, int], Array]


def glorot_normal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from N(0, 2 / (I + O)). Source: Glorot and Bengio 2010, equation 12, as a normal ("Xavier")."""
    return rng.normal(0.0, sqrt(2 / (inputs + outputs)), (inputs, outputs))


def glorot_uniform(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from U(±√(6 / (I + O))). Source: Glorot and Bengio 2010, equation 16."""
    bound = sqrt(6 / (inputs + outputs))
    return rng.uniform(-bound, bound, (inputs, outputs))


def he_normal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from N(0, 2 / I). Source: He et al. 2015, equation 10."""
    return rng.normal(0.0, sqrt(2 / inputs), (inputs, outputs))


def he_uniform(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from U(±√(6 / I)): the variance of He et al. 2015, equation 10, as a uniform."""
    bound = sqrt(6 / inputs)
    return rng.uniform(-bound, bound, (inputs, outputs))


#: By the name that settings use.
INITIALIZERS: dict[str, Initializer] = {
    "glorot_normal": glorot_normal,
    "xavier_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "xavier_uniform": glorot_uniform,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
}
