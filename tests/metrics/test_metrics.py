from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_squared_error

from mlplab.errors import SettingError
from mlplab.metrics import METRICS, find_metric
from mlplab.metrics.base import mean_of


def draw(needs, rows=40, columns=3, seed=0):
    """The truth and predictions of some rows, of one class each or, for values, of several outputs."""
    rng = np.random.default_rng(seed)
    if needs == "values":
        return rng.normal(size=(2, rows, columns))
    true = np.append(np.arange(columns), rng.integers(0, columns, rows))[:rows]
    if needs == "labels":
        return true, rng.integers(0, columns, rows)
    return true, rng.dirichlet(np.ones(columns), rows)


WEIGHTS = [None, np.random.default_rng(1).random(40)]
#: Each metric as scikit-learn computes it from the truth, the predictions and the weights.
THEIRS = {
    "accuracy": lambda true, predicted, w: accuracy_score(true, predicted, sample_weight=w),
    "log_loss": lambda true, p, w: log_loss(true, p, sample_weight=w),
    "brier": lambda true, p, w: brier_score_loss(
        true, p if p.shape[1] > 2 else p[:, 1], sample_weight=w, scale_by_half=False
    ),
    "mse": lambda true, predicted, w: mean_squared_error(true, predicted, sample_weight=w),
}


@pytest.mark.parametrize("weights", WEIGHTS, ids=["alike", "weighted"])
@pytest.mark.parametrize("columns", [2, 3, 7])
@pytest.mark.parametrize("name", METRICS)
def test_the_value_is_scikit_learns(name, columns, weights):
    metric = METRICS[name]
    true, predicted = draw(metric.needs, columns=columns)
    assert metric.value(true, predicted, weights) == pytest.approx(THEIRS[name](true, predicted, weights), rel=1e-12)


def test_values_of_a_single_output_may_be_a_vector():
    true, predicted = draw("values")[..., 0]
    assert METRICS["mse"].value(true, predicted) == pytest.approx(mean_squared_error(true, predicted))


@pytest.mark.parametrize("weights", WEIGHTS, ids=["alike", "weighted"])
def test_several_labels_a_row_are_measured_together(weights):
    rng = np.random.default_rng(2)
    true, p = rng.integers(0, 2, (40, 3)), rng.random((40, 3))
    columns = range(3)
    by_label = {
        "accuracy": accuracy_score(true, p > 0.5, sample_weight=weights),
        "log_loss": sum(log_loss(true[:, k], p[:, k], sample_weight=weights) for k in columns),
        "brier": sum(brier_score_loss(true[:, k], p[:, k], sample_weight=weights) for k in columns),
    }
    for name, expected in by_label.items():
        predicted = p > 0.5 if METRICS[name].needs == "labels" else p
        assert METRICS[name].value(true, predicted, weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("columns", [2, 5])
def test_the_brier_score_of_certain_predictions_is_0_or_2(columns):
    true = np.arange(columns)
    assert METRICS["brier"].value(true, np.eye(columns)[true]) == 0
    assert METRICS["brier"].value(true, np.eye(columns)[(true + 1) % columns]) == 2


def test_a_single_class_is_always_predicted():
    true, p = np.zeros(4, np.uint8), np.ones((4, 1), np.float32)
    assert [METRICS[name].value(true, p) for name in ("brier", "log_loss")] == [0, 0]


def test_a_probability_of_zero_has_a_finite_log_loss():
    for dtype in (np.float32, np.float64):
        loss = METRICS["log_loss"].value(np.array([0]), np.array([[0, 1]], dtype))
        assert loss == pytest.approx(-np.log(float(np.finfo(dtype).tiny)), rel=1e-6)


@given(st.data())
@pytest.mark.parametrize("name", METRICS)
def test_the_metric_is_the_weighted_mean_of_its_rows(name, data):
    metric = METRICS[name]
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 5))
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows)))
    weights[0] += 1
    true, predicted = draw(metric.needs, rows, columns, seed=data.draw(st.integers(0, 9)))
    values = metric.row_values(true, predicted)
    assert values.shape == (rows,)
    assert metric.value(true, predicted) == pytest.approx(values.mean())
    assert metric.value(true, predicted, weights) == pytest.approx(np.average(values, weights=weights))
    # a row of weight 2 counts as the same row twice
    again = np.repeat(np.arange(rows), weights)
    assert metric.value(true[again], predicted[again]) == pytest.approx(metric.value(true, predicted, weights))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_perfect_predictions_are_the_best_and_nothing_changes(name, dtype):
    metric = METRICS[name]
    true, predicted = draw(metric.needs)
    if metric.needs == "labels":
        perfect, best = true, 1
    else:
        perfect, best = np.eye(3, dtype=dtype)[true] if metric.needs == "probabilities" else true, 0
    before = [array.copy() for array in (true, predicted, perfect)]
    assert metric.value(true, perfect) == best
    assert metric.score(metric.value(true, perfect)) > metric.score(metric.value(true, predicted))
    for array, copy in zip((true, predicted, perfect), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_unsigned_targets_do_not_wrap_around():
    assert METRICS["mse"].value(np.array([0, 2], np.uint8), np.array([1, 1], np.uint8)) == 1
    labels, p = np.array([[1, 0]], np.uint8), np.array([[0.0, 1.0]], np.float32)
    assert METRICS["brier"].value(labels, p) == METRICS["brier"].value(labels > 0, p) == 2


def test_a_score_is_larger_where_the_metric_is_better():
    assert METRICS["accuracy"].score(0.9) == 0.9
    assert METRICS["brier"].score(0.9) == -0.9
    assert METRICS["brier"].score(inf) == -inf


def test_a_metric_names_its_column_and_writes_its_values():
    assert [METRICS[name].column for name in ("accuracy", "brier")] == ["val_accuracy", "val_brier"]
    assert [METRICS[name].format(0.9725) for name in ("accuracy", "brier")] == ["97.25 %", "0.9725"]


def test_float32_rows_are_averaged_in_float64():
    values = np.full(10_000_000, 0.1, np.float32)
    assert mean_of(lambda true, predicted: predicted)(values, values) == pytest.approx(np.float32(0.1), rel=1e-9)


def test_a_metric_is_found_by_its_name(refuses):
    assert find_metric("brier") is METRICS["brier"]
    assert {name: metric.name for name, metric in METRICS.items()} == {name: name for name in METRICS}
    with refuses(SettingError, "'accuracy', 'log_loss', 'brier' or 'mse'", "got 'acuracy' (did you mean 'accuracy'?)"):
        find_metric("acuracy")
