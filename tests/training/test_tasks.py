import numpy as np
import pytest

from mlplab.training.tasks import Labels, ManyClasses, TwoClasses, Values, classify

Z = np.random.default_rng(0).normal(size=(2, 50, 3))


def test_two_classes_need_one_output_and_more_need_one_each():
    assert isinstance(classify(2), TwoClasses)
    assert isinstance(classify(1), TwoClasses)
    assert isinstance(classify(3), ManyClasses)
    assert [classify(n).outputs for n in (1, 2, 3, 10)] == [1, 1, 3, 10]


def test_classes_are_decided_by_the_largest_output():
    np.testing.assert_array_equal(ManyClasses(3).decide(np, Z), np.argmax(Z, axis=-1))
    np.testing.assert_array_equal(TwoClasses().decide(np, Z[..., :1]), (Z[..., 0] > 0).astype(int))


@pytest.mark.parametrize(("task", "z"), [(ManyClasses(3), Z), (TwoClasses(), Z[..., :1])])
def test_a_row_is_right_where_the_decision_is_its_class(task, z):
    y = np.random.default_rng(1).integers(0, 2, (2, 50))
    np.testing.assert_array_equal(task.right(np, z, y), task.decide(np, z) == y)


def test_a_row_of_labels_is_right_when_all_are():
    y = (Z > 0).astype(np.uint8)
    assert Labels(3).right(np, Z, y).all()
    y[:, ::2, 1] ^= 1
    np.testing.assert_array_equal(Labels(3).right(np, Z, y), np.arange(50)[None].repeat(2, 0) % 2 == 1)


def test_values_are_neither_right_nor_wrong():
    assert np.isnan(Values(3).right(np, Z, Z)).all()
    assert Values(3).right(np, Z, Z).shape == (2, 50)
    assert Values(3).table(smooth=True) is None
    assert Labels(3).table(smooth=True) is None


@pytest.mark.parametrize(("task", "z"), [(ManyClasses(3), Z), (TwoClasses(), Z[..., :1]), (Labels(3), Z)])
def test_rows_that_are_right_are_those_of_the_accuracy(task, z):
    shape = z.shape if isinstance(task, Labels) else z.shape[:2]
    y = np.random.default_rng(1).integers(0, 2, shape)
    found = [task.watched.row_values(task.true(y[m]), task.decide(np, z)[m]) for m in range(2)]
    np.testing.assert_array_equal(found, task.right(np, z, y))


def test_probabilities_have_a_column_for_each_class():
    p = np.random.default_rng(1).random((2, 50, 1))
    np.testing.assert_array_equal(TwoClasses().probabilities(np, p), np.concatenate([1 - p, p], axis=2))
    for task in (ManyClasses(3), Labels(3), Values(3)):
        assert task.probabilities(np, Z) is Z
