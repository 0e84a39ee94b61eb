from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from mlplab.utils.randomness import ORDER, SPLIT, WEIGHTS, generator

PURPOSES = (SPLIT, WEIGHTS, ORDER)
DRAWS = 20_000


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_seed_and_a_purpose_always_give_the_same_draws(purpose):
    np.testing.assert_array_equal(generator(5, purpose).random(10), generator(5, purpose).random(10))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_draws_are_uniform_and_independent_of_each_other(purpose):
    draws = generator(0, purpose).random(DRAWS)
    assert stats.kstest(draws, "uniform").pvalue > 1e-3
    assert abs(stats.pearsonr(draws[1:], draws[:-1]).statistic) < 4 / DRAWS**0.5


@pytest.mark.parametrize(
    ("one", "other"), list(combinations([(seed, purpose) for seed in (0, 1, 2) for purpose in PURPOSES], 2))
)
def test_streams_of_other_seeds_and_purposes_are_independent(one, other):
    correlation = stats.pearsonr(generator(*one).random(DRAWS), generator(*other).random(DRAWS)).statistic
    assert abs(correlation) < 4.5 / DRAWS**0.5


def test_the_global_generator_is_neither_read_nor_moved():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draws = generator(3, ORDER).random(5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(generator(3, ORDER).random(5), draws)
