import numpy as np
import pytest

from mlplab.nn.penalties import l1_gradient, l1_value, l2_gradient, l2_value, limit_norms

WEIGHTS = np.random.default_rng(0).normal(size=(3, 5))
DECAY = np.array([0.5, 0.0, 2.0])


def test_l2_is_half_the_decay_times_each_members_squared_norm():
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


def test_l1_is_the_sum_of_the_sizes_and_its_gradient_their_signs():
    np.testing.assert_allclose(l1_value(np, WEIGHTS, 0.3), [0.3 * np.linalg.norm(w, 1) for w in WEIGHTS])
    W = np.array([[[-2.0, 0.0, 5.0]]])
    np.testing.assert_allclose(l1_gradient(np, W, 0.3), [[[-0.3, 0, 0.3]]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_longer_columns_are_shortened_and_shorter_ones_unchanged(dtype):
    W = np.array([[[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]], [[0.0, 1.0, 6.0], [0.5, 1.0, 8.0]]], dtype)
    kept = W.copy()
    limit_norms(np, W, 2.0)
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), [[2, 0.5, 0], [0.5, 2**0.5, 2]], rtol=1e-6)
    np.testing.assert_allclose(W[0, :, 0], kept[0, :, 0] * 2 / 5, rtol=1e-6)
    np.testing.assert_array_equal(W[0, :, 1:], kept[0, :, 1:])
    assert W.dtype == dtype
