"""Activations a = f(z), each with the step of back-propagation through it.

To add one: write its class, give it a line in `ACTIVATIONS` and one in `docs/parts.md`. The gradient checks and the
property tests pick it up by its name.
"""

from __future__ import annotations

from typing import Any, Protocol

from mlplab.engine.numpy_engine import Array


class Activation(Protocol):
    """What a layer needs to know of its activation; an object of your own with these three is one too."""

    #: Whether `backward` reads z. Where it does not, z is overwritten by a and costs no memory.
    needs_z: bool

    def forward(self, xp: Any, z: Array, a: Array) -> None:
        """Write f(z) into `a`. Both are (M, B, O); they are one array where ``needs_z`` is False."""

    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        """Turn `da` = ∂loss/∂a into ∂loss/∂z in place: multiply it by f'(z). z is overwritten unless ``needs_z``."""


class Identity:
    """a = z."""

    needs_z = False

    # a = z
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        if a is not z:
            a[...] = z

    # f'(z) = 1
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        pass


class Sigmoid:
    """a = 1 / (1 + e⁻ᶻ), scikit-learn's "logistic"."""

    needs_z = False

    # a = 1 / (1 + e⁻ᶻ) = ½ + ½·tanh(z/2): the same function, and it overflows for no z
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.multiply(z, 0.5, out=a)
        xp.tanh(a, out=a)
        a *= 0.5
        a += 0.5

    # f'(z) = a·(1 - a), written da·a - (da·a)·a: no buffer beyond one product
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= a
        da -= da * a


class Tanh:
    """a = tanh z."""

    needs_z = False

    # a = tanh z
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.tanh(z, out=a)

    # f'(z) = 1 - a²
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= 1 - a * a


class ReLU:
    """a = max(z, 0)."""

    needs_z = False

    # a = max(z, 0)
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.clip(z, 0, None, out=a)

    # f'(z) = 1 where z > 0, that is where a > 0, else 0
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= a > 0


#: By the name that settings use; "logistic" is scikit-learn's name for the sigmoid.
ACTIVATIONS: dict[str, Activation] = {
    "identity": Identity(),
    "sigmoid": Sigmoid(),
    "logistic": Sigmoid(),
    "tanh": Tanh(),
    "relu": ReLU(),
}
