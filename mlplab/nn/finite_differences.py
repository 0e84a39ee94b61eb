"""Compare back-propagation with finite differences."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import SettingError
from mlplab.nn.losses import Loss
from mlplab.nn.network import GradientWriter, Network, Parameters, Workspace
from mlplab.nn.penalties import l1_value, l2_value


@dataclass(frozen=True)
class GradientCheck:
    """The result of a gradient check, for the parameter where the two gradients differ most.

    Attributes:
        error: `|analytic - numeric| / max(|analytic|, |numeric|, floor)` of this parameter; the floor is 0.001, or
            0.001 times the objective if that is larger than 1.
        parameter: its name, such as ``W[0][3, 17]`` (layer, input, output) or ``b[1][4]``.
        analytic: ∂objective/∂parameter by back-propagation.
        numeric: the same derivative by central differences.
        checked: the number of parameters compared.
        tolerance: the largest `error` that passes.
    """

    error: float
    parameter: str
    analytic: float
    numeric: float
    checked: int
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the gradients agree for every parameter."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        verdict = "gradients agree" if self.passed else "GRADIENTS DIFFER"
        return (
            f"{verdict} ({self.checked:,} parameters compared); worst at {self.parameter}: "
            f"back-propagation {self.analytic:+.10e}, finite differences {self.numeric:+.10e}, "
            f"relative error {self.error:.1e} (allowed {self.tolerance:.0e})"
        )


def check_gradients(
    network: Network,
    loss: Loss,
    X: Array,
    T: Array,
    *,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    sample: int | None = 200,
    step: float = 1e-5,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientCheck:
    """Compare ∂objective/∂θ with central differences of the fourth order.

    Source: Abramowitz and Stegun 1964, 25.3.6: f' ≈ (8·(f(θ + h) - f(θ - h)) - (f(θ + 2h) - f(θ - 2h))) / 12h. With
    inputs as large as 16, the usual second-order formula has errors of up to 5e-7, this one of 1e-8.

    Args:
        network: one member, float64; its parameters are changed and restored.
        loss: objective = mean loss of the rows + ½·weight_decay·‖W‖² + l1·Σ|W|.
        X, T: rows (B, I) and their targets (B, C).
        sample: the number of parameters to compare, drawn with `seed`; None compares all.
        tolerance: the largest relative error that passes.

    Raises:
        SettingError: for a network that is not one member in float64.
    """
    if network.engine.dtype != np.float64 or network.members != 1:
        raise SettingError(f"a gradient check needs one member in float64; got {network!r} in {network.engine.dtype}")
    xp, rows = network.engine.xp, len(X)
    X, T = network.engine.asarray(X)[None], network.engine.asarray(T)[None]
    work, writer = Workspace(network, rows), GradientWriter(network, l1)
    theta, decay = network.theta.flat[0], [weight_decay]
    weights = network.theta.flat[:, : network.theta.weight_count]

    def forward() -> Array:
        network.generators = [np.random.default_rng(seed)]  # the same noise every time
        return network.forward(X, work, training=True)

    def objective() -> float:
        losses = loss.value_and_delta(xp, forward(), T)
        return float(losses.mean() + l2_value(xp, weights, decay)[0] + l1_value(xp, weights, l1)[0])

    running = deepcopy(network.running)  # every forward pass in training changes them
    dz = forward()
    loss.value_and_delta(xp, dz, T)
    writer.begin([float(rows)], decay)
    network.backward(dz, work, writer)
    analytic = writer.gradient.flat[0]

    positions = _positions(network)
    parts = [part for _, part in _named(positions)]
    checked = np.concatenate([part.ravel() for part in parts]).astype(np.intp)
    if sample is not None and sample < len(checked):
        checked = np.random.default_rng(seed).choice(checked, sample, replace=False)

    numeric, errors = np.empty(len(checked)), np.empty(len(checked))
    for k, p in enumerate(checked.tolist()):
        numeric[k], errors[k] = _compare(objective, theta, p, float(analytic[p]), step, tolerance)
    network.running = running
    worst = int(np.argmax(errors))
    return GradientCheck(
        error=float(errors[worst]),
        parameter=_parameter_name(positions, int(checked[worst])),
        analytic=float(analytic[checked[worst]]),
        numeric=float(numeric[worst]),
        checked=len(checked),
        tolerance=tolerance,
    )


def _compare(
    objective: Callable[[], float], theta: Array, p: int, analytic: float, step: float, tolerance: float
) -> tuple[float, float]:
    """Return the numeric derivative by parameter `p` that is closest to the analytic one, and its relative error.

    A step may cross the kink of a ReLU, where the derivative is not defined. A shorter step crosses it for fewer
    parameters; a wrong derivative is wrong for every step.
    """
    # the values subtracted have rounding errors of the objective's magnitude, which hide slopes below this
    floor = 1e-3 * max(1.0, abs(objective()))
    found = []
    for h in (step, step / 10, step / 100):
        numeric = _slope(objective, theta, p, h)
        found.append((abs(analytic - numeric) / max(abs(analytic), abs(numeric), floor), numeric))
        if found[-1][0] <= tolerance:
            break
    error, numeric = min(found)
    return numeric, error


def _slope(objective: Callable[[], float], theta: Array, p: int, h: float) -> float:
    kept, values = theta[p], {}
    for steps in (-2, -1, 1, 2):
        theta[p] = kept + steps * h
        values[steps] = objective()
    theta[p] = kept
    return (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * h)


def _positions(network: Network) -> Parameters:
    """Return parameters in the network's layout, each with its position in the flat buffer as its value."""
    flat = network.theta.flat
    return Parameters.over(network.engine, np.arange(flat.size, dtype=flat.dtype).reshape(flat.shape), network.layout)


def _named(parameters: Parameters) -> list[tuple[str, Array]]:
    """Return the names and arrays of the parameters, W (I, O) and all others (O,)."""
    named = [(f"W[{layer}]", W[0]) for layer, W in enumerate(parameters.weights)]
    named += [(f"b[{layer}]", b[0, 0]) for layer, b in enumerate(parameters.biases)]
    for layer, (gain, shift) in enumerate(parameters.scales):
        named += [(f"gain[{layer}]", gain[0, 0]), (f"shift[{layer}]", shift[0, 0])]
    return named


def _parameter_name(positions: Parameters, position: int) -> str:
    for name, part in _named(positions):
        for index in np.argwhere(part == position):
            return f"{name}[{', '.join(map(str, index))}]"
    raise IndexError(position)
