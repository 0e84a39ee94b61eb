"""Initial weights: each function draws an (I, O) matrix from the given generator. Biases start at zero."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from mlplab.engine.base import Array

#: Draws an (inputs, outputs) matrix in float64. It may be a function of your own with this signature.
Initializer = Callable[[np.random.Generator, int, int], Array]


def glorot_normal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from N(0, 2 / (I + O)). Source: Glorot and Bengio 2010, equation 12, as a normal distribution ("Xavier")."""
    return rng.normal(0.0, sqrt(2 / (inputs + outputs)), (inputs, outputs))


def glorot_uniform(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from U(±√(6 / (I + O))). Source: Glorot and Bengio 2010, equation 16."""
    bound = sqrt(6 / (inputs + outputs))
    return rng.uniform(-bound, bound, (inputs, outputs))


def he_normal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from N(0, 2 / I). Source: He et al. 2015, equation 10."""
    return rng.normal(0.0, sqrt(2 / inputs), (inputs, outputs))


def he_uniform(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from U(±√(6 / I)): the variance of He et al. 2015, equation 10, as a uniform distribution."""
    bound = sqrt(6 / inputs)
    return rng.uniform(-bound, bound, (inputs, outputs))


def lecun_normal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from N(0, 1 / I). Source: LeCun et al. 1998, Efficient BackProp, equation 16."""
    return rng.normal(0.0, sqrt(1 / inputs), (inputs, outputs))


def lecun_uniform(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw from U(±√(3 / I)): the variance of LeCun et al. 1998, equation 16, as a uniform distribution."""
    bound = sqrt(3 / inputs)
    return rng.uniform(-bound, bound, (inputs, outputs))


def orthogonal(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Draw orthonormal columns (rows, if there are fewer of them) uniformly. Source: Saxe et al. 2014, section 3.

    They are the Q of a normal matrix's QR decomposition, times the signs of R's diagonal: Mezzadri 2007, section 5.
    """
    Q, R = np.linalg.qr(rng.normal(size=(max(inputs, outputs), min(inputs, outputs))))
    Q *= np.sign(np.diagonal(R))
    return Q if inputs >= outputs else np.ascontiguousarray(Q.T)


def constant(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Return 0.01 for every weight. The units of a layer then stay identical, which random weights prevent."""
    return np.full((inputs, outputs), 0.01)


#: Initializers by the names used in settings.
INITIALIZERS: dict[str, Initializer] = {
    "glorot_normal": glorot_normal,
    "xavier_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "xavier_uniform": glorot_uniform,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "orthogonal": orthogonal,
    "constant": constant,
}
