"""Noise that is added to the values in a network during training to reduce overfitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array, Engine


@dataclass(frozen=True)
class Noise:
    """The amount of each kind of noise, 0 by default. Predictions are made without noise.

    Attributes:
        dropout: the share of a hidden layer's activations that is set to 0 in each row. Source: Srivastava et al. 2014,
            in the form that multiplies the others by 1/(1 - dropout), so that predictions need no correction.
        input_dropout: the same for the inputs.
        input_noise: standard deviation of the noise added to the inputs, after `input_scale`.
        hidden_noise: standard deviation of the noise added to the pre-activations of the hidden layers.
    """

    dropout: float = 0.0
    input_dropout: float = 0.0
    input_noise: float = 0.0
    hidden_noise: float = 0.0

    def __bool__(self) -> bool:
        return any(vars(self).values())

    @property
    def on_inputs(self) -> bool:
        """Whether the inputs are changed."""
        return bool(self.input_dropout or self.input_noise)


# mask = 1/(1 - share) where a random number from 0 to 65,535 is at least 65,536·share, else 0
def draw_mask(engine: Engine, generators: Sequence[np.random.Generator], share: float, out: Array) -> None:
    """Fill `out` (M, B, O): 0 for that share, 1/(1 - share) for the rest; one generator per member."""
    threshold = round(share * 65_536)  # shares are exact to 1/65,536
    engine.random_mask(generators, threshold, out)
    out *= 65_536 / (65_536 - threshold)


# x ← x + deviation·n with n normal
def add_normal(engine: Engine, generators: Sequence[np.random.Generator], deviation: float, x: Array) -> None:
    """Add normal noise to x (M, B, O) in place; one generator per member."""
    for m, rng in enumerate(generators):
        noise = engine.standard_normal(rng, *x.shape[1:])
        noise *= deviation
        x[m] += noise
