import numpy as np
import pytest

from mlplab.nn.penalties import l2_gradient, l2_value

WEIGHTS = np.random.default_rng(0).normal(size=(3, 5))
DECAY = np.array([0.5, 0.0, 2.0])


def test_l2_is_half_the_decay_times_the_squared_norm_of_each_member():
    expected = [0.5 * decay * np.linalg.norm(w) ** 2 for decay, w in zip(DECAY, WEIGHTS, strict=True)]
    np.testing.assert_allclose(l2_value(np, WEIGHTS, DECAY), expected)


@pytest.mark.parametrize("decay", [DECAY, np.zeros(3)])
def test_the_gradient_of_l2_is_its_derivative(decay):
    gradient, step = np.full((3, 5, 1), np.nan), 1e-6
    l2_gradient(np, WEIGHTS[..., None], decay[:, None, None], gradient)
    for k in range(WEIGHTS.shape[1]):
        moved = step * np.eye(WEIGHTS.shape[1])[k]
        numeric = (l2_value(np, WEIGHTS + moved, decay) - l2_value(np, WEIGHTS - moved, decay)) / (2 * step)
        np.testing.assert_allclose(gradient[:, k, 0], numeric, atol=1e-8)
