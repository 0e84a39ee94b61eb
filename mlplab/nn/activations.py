"""Activations a = f(z), each with its derivative for back-propagation.

To add one, write its class and add a line to `ACTIVATIONS` and to `docs/parts.md`. The gradient checks and property
tests then include it by its name.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any, Protocol

from mlplab.engine.base import Array


class Activation(Protocol):
    """The interface of a layer's activation. Any object with these three members can be used."""

    #: Whether `backward` reads z. If not, z is overwritten by a, which saves memory.
    needs_z: bool
    # An activation may also have `initializer`, the name of the one that "auto" selects; else it is "glorot_uniform".

    def forward(self, xp: Any, z: Array, a: Array) -> None:
        """Write f(z) into `a`. Both are (M, B, O); they are the same array if ``needs_z`` is False."""

    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        """Turn `da` = ∂loss/∂a into ∂loss/∂z in place: multiply it by f'(z). z is valid only if ``needs_z``."""


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

    # a = 1 / (1 + e⁻ᶻ) = ½ + ½·tanh(z/2): the same function, without overflow for any z
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.multiply(z, 0.5, out=a)
        xp.tanh(a, out=a)
        a *= 0.5
        a += 0.5

    # f'(z) = a·(1 - a), computed as da·a - (da·a)·a, which needs a single buffer
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


class ScaledTanh:
    """a = 1.7159·tanh(⅔·z), which keeps a variance of 1. Source: LeCun et al. 1998, Efficient BackProp, section 4.4."""

    needs_z = False
    initializer = "lecun_normal"

    # a = A·tanh(S·z)
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.multiply(z, 2 / 3, out=a)
        xp.tanh(a, out=a)
        a *= 1.7159

    # f'(z) = A·S·(1 - tanh²) = S·(A - a²/A)
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= (2 / 3) * (1.7159 - a * a / 1.7159)


class ReLU:
    """a = max(z, 0)."""

    needs_z = False

    # a = max(z, 0)
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.clip(z, 0, None, out=a)

    # f'(z) = 1 where z > 0, that is where a > 0, else 0
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= a > 0


class LeakyReLU:
    """a = z where z > 0, else 0.01·z. Source: Maas et al. 2013, section 2."""

    needs_z = False

    # a = max(z, s·z)
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.maximum(z, 0.01 * z, out=a)

    # f'(z) = 1 where z > 0, that is where a > 0, else s
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= xp.where(a > 0, 1, a.dtype.type(0.01))


class ELU:
    """a = z where z > 0, else eᶻ - 1. Source: Clevert et al. 2016, equation 14 with α = 1."""

    needs_z = False

    # a = max(z, 0) + e^min(z, 0) - 1
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        below = xp.expm1(xp.clip(z, None, 0))
        xp.clip(z, 0, None, out=a)
        a += below

    # f'(z) = 1 where z > 0, else eᶻ = a + 1
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= 1 + xp.clip(a, None, 0)


class SELU:
    """a = λ·z where z > 0, else λ·α·(eᶻ - 1), self-normalizing. Source: Klambauer et al. 2017, equation 2."""

    needs_z = False
    initializer = "lecun_normal"
    _LAMBDA, _ALPHA = 1.0507009873554805, 1.6732632423543772  # of the fixed point, from the paper's appendix

    # a = λ·(max(z, 0) + α·(e^min(z, 0) - 1))
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        below = xp.expm1(xp.clip(z, None, 0))
        below *= self._ALPHA
        xp.clip(z, 0, None, out=a)
        a += below
        a *= self._LAMBDA

    # f'(z) = λ where z > 0, else λ·α·eᶻ = a + λ·α
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= xp.where(a > 0, a.dtype.type(self._LAMBDA), a + self._LAMBDA * self._ALPHA)


class GELU:
    """a = ½·z·(1 + tanh(√(2/π)·(z + 0.044715·z³))), z·Φ(z) to 0.0005. Source: Hendrycks and Gimpel 2016, section 2."""

    needs_z = True
    _SLOPE, _CUBE = sqrt(2 / pi), 0.044715

    # a = ½·z·(1 + t) with t = tanh(s·(z + c·z³))
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        t, _ = self._tanh(xp, z)
        t += 1
        t *= 0.5
        xp.multiply(z, t, out=a)

    # f'(z) = ½·(1 + t) + ½·z·(1 - t²)·s·(1 + 3·c·z²)
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        t, z = self._tanh(xp, z)
        da *= 0.5 * (1 + t) + (0.5 * self._SLOPE) * z * (1 - t * t) * (1 + 3 * self._CUBE * z * z)

    def _tanh(self, xp: Any, z: Array) -> tuple[Array, Array]:
        """Return t and z; z is clipped so that its cube cannot overflow, at values where t is 1 or -1 anyway."""
        z = xp.clip(z, -10, 10)
        return xp.tanh(self._SLOPE * z * (1 + self._CUBE * z * z)), z


class SiLU:
    """a = z·sigmoid(z), also called "swish". Source: Elfwing et al. 2018, equation 1."""

    needs_z = True

    # a = z·s with s = sigmoid(z) = ½ + ½·tanh(z/2)
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        _SIGMOID.forward(xp, z, a)
        a *= z

    # f'(z) = s + z·s·(1 - s) = s + a·(1 - s)
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        s = xp.empty_like(z)
        _SIGMOID.forward(xp, z, s)
        da *= s + a * (1 - s)


class Softplus:
    """a = log(1 + eᶻ), a smooth ReLU. Source: Dugas et al. 2001, equation 2."""

    needs_z = False

    # a = log(e⁰ + eᶻ)
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.logaddexp(z, 0, out=a)

    # f'(z) = sigmoid(z) = 1 - e⁻ᵃ
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        da *= -xp.expm1(-a)


class Mish:
    """a = z·tanh(log(1 + eᶻ)). Source: Misra 2020, equation 2."""

    needs_z = True

    # a = z·t with t = tanh(softplus(z))
    def forward(self, xp: Any, z: Array, a: Array) -> None:
        xp.logaddexp(z, 0, out=a)
        xp.tanh(a, out=a)
        a *= z

    # f'(z) = t + z·(1 - t²)·sigmoid(z)
    def backward(self, xp: Any, z: Array, a: Array, da: Array) -> None:
        t = xp.tanh(xp.logaddexp(z, 0))
        s = xp.empty_like(z)
        _SIGMOID.forward(xp, z, s)
        da *= t + z * (1 - t * t) * s


_SIGMOID = Sigmoid()

#: Activations by the names used in settings; "logistic" is scikit-learn's name for the sigmoid.
ACTIVATIONS: dict[str, Activation] = {
    "identity": Identity(),
    "sigmoid": _SIGMOID,
    "logistic": _SIGMOID,
    "tanh": Tanh(),
    "scaled_tanh": ScaledTanh(),
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "elu": ELU(),
    "selu": SELU(),
    "gelu": GELU(),
    "silu": SiLU(),
    "softplus": Softplus(),
    "mish": Mish(),
}
