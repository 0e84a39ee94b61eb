import numpy as np
import pytest

from mlplab.nn.penalties import l2_add_gradient, l2_value

WEIGHTS = np.random.default_rng(0).normal(size=(3, 5))
DECAY = np.array([0.5, 0.0, 2.0])


def test_l2_is_half_the_decay_times_the_squared_norm_of_each_member():
    expected = [0.5 * decay * np.linalg.norm(w) ** 2 for decay, w in zip(DECAY, WEIGHTS, strict=True)]
    np.testing.assert_allclose(l2_value(np, WEIGHTS, DECAY), expected)


@pytest.mark.parametrize("decay", [DECAY, np.zeros(3)])
def test_l2_adds_its_derivative_to_the_gradient(decay):
    before, step = np.random.default_rng(1).normal(size=WEIGHTS.shape), 1e-6
    gradient = before.copy()
    l2_add_gradient(np, WEIGHTS, decay, gradient)
    for k in range(WEIGHTS.shape[1]):
        moved = step * np.eye(WEIGHTS.shape[1])[k]
        numeric = (l2_value(np, WEIGHTS + moved, decay) - l2_value(np, WEIGHTS - moved, decay)) / (2 * step)
        np.testing.assert_allclose((gradient - before)[:, k], numeric, atol=1e-8)
