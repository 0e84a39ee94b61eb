import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier

from mlplab.training.stopping import Patience


def stops_after(values, tol, n_iter_no_change):
    """Return the number of the epoch after which training ends, or None."""
    patience = Patience(tol, n_iter_no_change)
    for epoch, value in enumerate(values, start=1):
        patience.update(value)
        if patience.exhausted:
            return epoch
    return None


@given(st.lists(st.floats(0, 2), min_size=1, max_size=30), st.sampled_from([0.0, 1e-4, 0.1]), st.integers(1, 5))
def test_losses_are_counted_as_scikit_learn_counts_them(values, tol, n_iter_no_change):
    theirs, expected = MLPClassifier(tol=tol), None
    theirs.best_loss_, theirs._no_improvement_count, theirs.loss_curve_ = np.inf, 0, []
    for epoch, value in enumerate(values, start=1):
        theirs.loss_curve_.append(value)
        theirs._update_no_improvement_count(False, None, None, None)
        if expected is None and theirs._no_improvement_count > n_iter_no_change:
            expected = epoch
    assert stops_after(values, tol, n_iter_no_change) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3, 2, 1, 0], None), ([1, 1, 1, 1], 4), ([1, 2, 2, 2], 4), ([1, 2, 2, 0, 1, 1, 1], 7), ([5, 4.95, 4.9, 4.85], 4)],
)
def test_more_than_n_iter_no_change_epochs_without_progress_stop(values, expected):
    assert stops_after(values, tol=0.5, n_iter_no_change=2) == expected


def test_the_best_value_is_reported_and_kept():
    patience = Patience(0.5, 2)
    assert [patience.update(value) for value in (3, 2.9, 3.1, 2.9, 1)] == [True, True, False, False, True]
    assert patience.best == 1


@pytest.mark.parametrize("values", [[1.0] * 50, list(range(50))])
def test_no_stop_with_tol_minus_infinity_or_infinite_patience(values):
    assert stops_after(values, tol=-np.inf, n_iter_no_change=1) is None
    assert stops_after(values, tol=0.1, n_iter_no_change=np.inf) is None
