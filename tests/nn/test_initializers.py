import numpy as np
import pytest
from scipy import stats

from mlplab.nn.initializers import INITIALIZERS

INPUTS, OUTPUTS = 150, 250


def normal(variance):
    return stats.norm(scale=variance**0.5)


def uniform(bound):
    return stats.uniform(-bound, 2 * bound)


#: What each must draw from: the equations of the papers, for I = 150 and O = 250.
DISTRIBUTIONS = {
    "glorot_normal": normal(2 / (INPUTS + OUTPUTS)),
    "xavier_normal": normal(2 / (INPUTS + OUTPUTS)),
    "glorot_uniform": uniform((6 / (INPUTS + OUTPUTS)) ** 0.5),
    "xavier_uniform": uniform((6 / (INPUTS + OUTPUTS)) ** 0.5),
    "he_normal": normal(2 / INPUTS),
    "he_uniform": uniform((6 / INPUTS) ** 0.5),
    "lecun_normal": normal(1 / INPUTS),
    "lecun_uniform": uniform((3 / INPUTS) ** 0.5),
}
every_initializer = pytest.mark.parametrize("name", DISTRIBUTIONS)


def draw(name, seed=0, inputs=INPUTS, outputs=OUTPUTS):
    return INITIALIZERS[name](np.random.default_rng(seed), inputs, outputs)


def test_every_initializer_has_a_distribution_or_its_own_tests():
    assert {*DISTRIBUTIONS, "orthogonal", "constant"} == set(INITIALIZERS)


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 6), (9, 4), (4, 9), (1, 5), (5, 1)])
def test_orthogonal_keeps_the_length_of_inputs_or_gradients(inputs, outputs):
    W = draw("orthogonal", inputs=inputs, outputs=outputs)
    assert W.shape == (inputs, outputs)
    product = W.T @ W if inputs >= outputs else W @ W.T
    np.testing.assert_allclose(product, np.eye(min(inputs, outputs)), atol=1e-12)


def test_orthogonal_draws_evenly():
    # evenly means that no direction is preferred: the first weight of a rotation of the plane has the arcsine law
    first = [draw("orthogonal", seed, 2, 2)[0, 0] for seed in range(2000)]
    assert stats.kstest(first, stats.arcsine(-1, 2).cdf).pvalue > 1e-3


def test_constant_is_one_number():
    np.testing.assert_array_equal(draw("constant"), np.full((INPUTS, OUTPUTS), 0.01))


@every_initializer
def test_draws_follow_the_papers_distribution(name):
    W = draw(name)
    assert W.shape == (INPUTS, OUTPUTS)
    assert stats.kstest(W.ravel(), DISTRIBUTIONS[name].cdf).pvalue > 1e-3


@every_initializer
def test_mean_and_variance_are_the_papers(name):
    W, expected = draw(name), DISTRIBUTIONS[name]
    assert abs(W.mean()) < 4 * expected.std() / W.size**0.5
    # the standard error of a variance is σ²·√((kurtosis + 2) / n), at most σ²·√(2 / n) here
    assert abs(W.var() / expected.var() - 1) < 4 * (2 / W.size) ** 0.5


@every_initializer
def test_no_draw_leaves_the_bounds_and_some_come_close(name):
    low, high = DISTRIBUTIONS[name].support()
    W = draw(name)
    assert low <= W.min()
    assert W.max() <= high
    assert np.isinf(high) or (W.max() > 0.999 * high and W.min() < 0.999 * low)


@every_initializer
@pytest.mark.parametrize(("one", "other"), [(np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])])
def test_neighbouring_weights_are_independent(name, one, other):
    W = draw(name)
    assert abs(stats.pearsonr(W[one].ravel(), W[other].ravel()).statistic) < 4 / W.size**0.5


@every_initializer
def test_draws_come_from_the_given_generator_and_move_it(name):
    rng = np.random.default_rng(3)
    first, second = (INITIALIZERS[name](rng, INPUTS, OUTPUTS) for _ in range(2))
    np.testing.assert_array_equal(first, draw(name, seed=3))
    assert abs(stats.pearsonr(first.ravel(), second.ravel()).statistic) < 4 / first.size**0.5


@every_initializer
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (1, 7), (7, 1)])
def test_one_input_or_one_output_is_no_special_case(name, inputs, outputs):
    W = draw(name, inputs=inputs, outputs=outputs)
    assert W.shape == (inputs, outputs)
    assert np.isfinite(W).all()
    assert (W != 0).all()
