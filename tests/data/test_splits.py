import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from mlplab.data import Dataset, hold_out, load_dataset, split_rows
from mlplab.errors import DataError, MlplabError, SettingError


def dataset(y, test_rows=None):
    y = np.asarray(y)
    return Dataset("ours", np.zeros((len(y), 1)), y, test_rows=test_rows)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_exercise6_gives_the_rows_of_the_notebooks_two_calls(mnist):
    X_train, X_test, y_train, y_test = train_test_split(
        mnist.X, mnist.y, test_size=10000, shuffle=True, random_state=42
    )
    train, val = train_test_split(np.arange(X_train.shape[0]), test_size=0.2, shuffle=True, random_state=42)
    split = split_rows(mnist, "exercise6", seed=3)
    np.testing.assert_array_equal(mnist.X[split.test], X_test)
    np.testing.assert_array_equal(mnist.y[split.test], y_test)
    np.testing.assert_array_equal(mnist.X[split.train], X_train[train])
    np.testing.assert_array_equal(mnist.y[split.train], y_train[train])
    np.testing.assert_array_equal(mnist.X[split.validation], X_train[val])
    np.testing.assert_array_equal(mnist.y[split.validation], y_train[val])


def test_exercise6_with_samples_is_the_notebooks_data_size(mnist):
    y_train, _ = train_test_split(np.arange(70_000), test_size=10000, shuffle=True, random_state=42)
    train, val = train_test_split(np.arange(1000), test_size=0.2, shuffle=True, random_state=42)
    split = split_rows(mnist, "exercise6", samples=1000)
    np.testing.assert_array_equal(split.train, y_train[:1000][train])
    np.testing.assert_array_equal(split.validation, y_train[:1000][val])
    assert len(split.test) == 10_000


def test_official_keeps_its_test_rows_and_validates_on_a_sixth(mnist):
    split = split_rows(mnist, "official", seed=1)
    np.testing.assert_array_equal(split.test, np.arange(60_000, 70_000))
    assert (len(split.train), len(split.validation)) == (50_000, 10_000)
    np.testing.assert_array_equal(np.sort([*split.train, *split.validation]), np.arange(60_000))
    shares = np.bincount(mnist.y[split.validation]) / np.bincount(mnist.y[:60_000])
    np.testing.assert_allclose(shares, 1 / 6, atol=1e-3)


@given(
    st.integers(2, 5).flatmap(lambda classes: st.lists(st.integers(0, classes - 1), min_size=5, max_size=80)),
    st.integers(0, 20),
)
def test_random_divides_all_rows_and_none_twice(y, seed):
    try:
        split = split_rows(dataset(y), "random", seed)
    except DataError as error:  # the only two rows of a class, say, were drawn for validation
        assume("no training row has the class" not in str(error))
        raise
    np.testing.assert_array_equal(np.sort([*split.train, *split.validation, *split.test]), np.arange(len(y)))
    assert len(split.test) == int(np.ceil(0.2 * len(y)))
    assert len(split.validation) == int(np.ceil(0.2 * (len(y) - len(split.test))))


def test_random_is_stratified(digits):
    split = split_rows(digits, "random")
    everywhere = np.bincount(digits.y) / len(digits.y)
    for rows in (split.train, split.validation, split.test):
        np.testing.assert_allclose(np.bincount(digits.y[rows]) / len(rows), everywhere, atol=2 / len(rows))


@pytest.mark.parametrize("y", [[0] * 20 + [1], [0] * 20 + [1, 2, 3, 4, 5, 6]])
def test_classes_too_rare_to_stratify_are_no_obstacle(y):
    split = split_rows(dataset(y), "random")
    assert len(np.unique([*split.train, *split.validation, *split.test])) == len(y)


@pytest.mark.parametrize("name", ["random", "official"])
def test_the_seed_draws_the_validation_rows_not_the_test_rows(digits, name):
    known = Dataset("ours", digits.X, digits.y, test_rows=300)
    first, again, other = (split_rows(known, name, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.validation, again.validation)
    np.testing.assert_array_equal(first.test, other.test)
    assert set(first.validation) != set(other.validation)


@pytest.mark.parametrize("name", ["random", "official"])
def test_samples_are_shared_by_training_and_validation(digits, name):
    known = Dataset("ours", digits.X, digits.y, test_rows=300)
    everything, few = split_rows(known, name), split_rows(known, name, samples=100)
    assert len(few.train) + len(few.validation) == 100
    np.testing.assert_array_equal(few.test, everything.test)
    assert not {*few.train, *few.validation} & set(few.test)


@pytest.mark.parametrize("name", ["random", "exercise6", "official"])
def test_more_samples_than_there_are_rows_are_refused(mnist, refuses, name):
    with refuses(SettingError, "samples", "70,001"):
        split_rows(mnist, name, samples=70_001)


@pytest.mark.parametrize("name", ["random", "exercise6", "official"])
@pytest.mark.parametrize("samples", [-5, 0, 1])
def test_samples_too_few_to_share_are_refused(mnist, refuses, name, samples):
    with refuses(MlplabError, samples):
        split_rows(mnist, name, samples=samples)


@pytest.mark.parametrize(
    ("name", "fragments"),
    [("exercise6", ["exercise6", "10,000", "ours has 50"]), ("official", ["ours", "no official test rows", "random"])],
)
def test_a_split_that_does_not_suit_the_data_is_refused(refuses, name, fragments):
    with refuses(DataError, *fragments):
        split_rows(dataset([0, 1] * 25), name)


@pytest.mark.parametrize("rows", [2, 3])
def test_rows_too_few_to_divide_are_refused(refuses, rows):
    with refuses(DataError, "too few"):
        split_rows(dataset(range(rows)), "random")


@pytest.mark.parametrize("samples", [3, 5])
def test_too_few_samples_for_the_classes_are_refused(mnist, refuses, samples):
    with refuses(SettingError, f"samples={samples} is too small", "no training row has the class", "example 100"):
        split_rows(mnist, "exercise6", samples=samples)
    split = split_rows(mnist, "exercise6", samples=100)
    assert set(mnist.y[split.validation]) <= set(mnist.y[split.train])


def test_hold_out_refuses_a_class_without_training_rows(mnist, digits, refuses):
    with refuses(SettingError, "samples=4 is too small", "no training row has the class", "use more samples"):
        hold_out(mnist, 0.5, samples=4)
    with refuses(DataError, "ours: no training row has the class", "add rows of this class or remove it"):
        hold_out(dataset(range(12)), 0.2)


def test_a_misspelt_split_brings_the_nearest_name(refuses):
    with refuses(SettingError, "'exercise6', 'official' or 'random'", "'exercize6'", "did you mean 'exercise6'?"):
        split_rows(dataset([0, 1]), "exercize6")


def test_measurements_are_no_classes(refuses):
    with refuses(DataError, "must hold classes", "measurements such as 0.5"):
        split_rows(dataset([1.0, 0.5, 1.25, 2.0]), "random")


def test_the_only_row_of_a_class_is_learnt_from():
    for seed in range(20):
        split = split_rows(dataset([0, 1] * 10 + [2]), "random", seed)
        assert 20 in split.train
        train, validation = hold_out(dataset([0, 1] * 10 + [2]), 0.3, seed)
        assert 20 in train
        assert len(validation) == 7
