import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    classification_report,
    confusion_matrix,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)

from mlplab import NeuralNetworkRegressor, evaluate
from mlplab.errors import DataError
from mlplab.evaluation import Evaluation

LABELS = {"numbers": [3, 5, 9], "text": ["ant", "bee", "cat"], "booleans": [False, True], "one": ["only"]}


@pytest.fixture(params=LABELS)
def evaluated(request, classifier, three_classes):
    """A classifier, rows, their labels, and what `evaluate` says of them."""
    X, y = three_classes
    labels = np.array(LABELS[request.param])
    named = labels[y % len(labels)]
    model = classifier().fit(X, named)
    return model, X, named, evaluate(model, X, named)


def test_the_figures_are_scikit_learns(evaluated):
    model, X, y, found = evaluated
    predicted = model.predict(X)
    assert found.rows == len(y)
    assert found.accuracy == accuracy_score(y, predicted)
    if len(model.classes_) > 1:
        np.testing.assert_array_equal(found.confusion_matrix, confusion_matrix(y, predicted, labels=model.classes_))
        p = model.predict_proba(X)
        assert found.log_loss == pytest.approx(log_loss(y, p))
        theirs = brier_score_loss(
            y, p if p.shape[1] > 2 else p[:, 1], pos_label=model.classes_[-1], scale_by_half=False
        )
        assert found.brier == pytest.approx(theirs, rel=1e-6)
    theirs = classification_report(y, predicted, output_dict=True, zero_division=0)
    for line in found.report:
        expected = theirs[str(line.name)]
        assert [line.precision, line.recall, line.f1, line.rows] == pytest.approx(list(expected.values()))


def test_the_calibration_is_that_of_the_predictions(evaluated):
    model, X, _, found = evaluated
    p = model.predict_proba(X)
    calibration = found.calibration(bins=1)
    np.testing.assert_allclose(calibration.confidence, [p.max(axis=1).mean()])
    np.testing.assert_allclose(calibration.accuracy, [found.accuracy])
    assert calibration.error == pytest.approx(abs(p.max(axis=1).mean() - found.accuracy))


def test_the_most_confused_pairs_are_those_of_the_matrix(evaluated):
    _, _, _, found = evaluated
    names, matrix = found.classes.tolist(), found.confusion_matrix
    pairs = found.most_confused(100)
    assert sum(pair.rows for pair in pairs) == matrix.sum() - np.trace(matrix)
    assert [pair.rows for pair in pairs] == sorted((pair.rows for pair in pairs), reverse=True)
    for pair in pairs:
        row = matrix[names.index(pair.truth)]
        assert pair.truth != pair.prediction
        assert pair.rows == row[names.index(pair.prediction)]
        assert pair.share == pair.rows / row.sum()
    assert found.most_confused(1) == pairs[:1]


def test_the_top_losses_are_the_rows_that_cost_most(evaluated):
    model, X, y, found = evaluated
    p = model.predict_proba(X)
    costs = [-np.log(p[k, list(model.classes_).index(label)]) for k, label in enumerate(y)]
    worst = found.top_losses(5)
    np.testing.assert_allclose([one.loss for one in worst], sorted(costs, reverse=True)[:5], rtol=1e-6)
    for one in worst:
        assert one.loss == pytest.approx(costs[one.row])
        assert one.truth == y[one.row]
        assert one.prediction == model.predict(X[one.row : one.row + 1])[0]
        assert one.probability == pytest.approx(np.exp(-one.loss))


def test_it_can_be_printed_and_written_as_json(evaluated):
    _, _, _, found = evaluated
    text = str(found)
    assert text.startswith(f"accuracy {100 * found.accuracy:.2f} % on 90 rows, log loss {found.log_loss:.4f} nats")
    assert all(len(line) <= 120 for line in text.splitlines())
    assert ("Most frequent confusions" in text) == bool(found.most_confused())
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [facts["accuracy"], facts["brier"]] == [found.accuracy, found.brier]
    assert f"Brier score {found.brier:.4f}, expected calibration error" in text
    assert np.array(facts["confusion_matrix"]).sum() == 90


@given(st.data())
def test_any_answers_give_figures(data):
    classes, rows = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 30))
    index = st.integers(0, classes - 1)
    true, predicted = (np.array(data.draw(st.lists(index, min_size=rows, max_size=rows))) for _ in range(2))
    p = np.eye(classes)[predicted]  # certain, so that wrong ones have a probability of 0
    found = Evaluation(np.arange(classes), true, predicted, p)
    assert np.isfinite(found.log_loss)
    assert found.calibration().error == pytest.approx(1 - found.accuracy)
    assert str(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_frames_sparse_rows_and_other_classifiers_are_accepted(classifier, three_classes):
    X, y = three_classes
    frame = pandas.DataFrame(X, columns=list("abcd"))
    assert evaluate(classifier().fit(frame, y), frame, pandas.Series(y)).rows == 90
    assert evaluate(classifier().fit(csr_matrix(X), y), csr_matrix(X), y).rows == 90
    theirs = LogisticRegression().fit(X, y)
    assert evaluate(theirs, X, y).accuracy == theirs.score(X, y)


@pytest.mark.parametrize("columns", [1, 2])
def test_regressors_are_evaluated(three_classes, columns):
    X = three_classes[0]
    y = X[:, 0] + 1 if columns == 1 else X[:, :2] ** 2
    for model in (NeuralNetworkRegressor(max_iter=3, tol=None), Ridge()):
        predicted = model.fit(X, y).predict(X)
        found = evaluate(model, X, y)
        assert found.r2 == pytest.approx(r2_score(y, predicted))
        assert found.rmse == pytest.approx(np.mean(np.sqrt(mean_squared_error(y, predicted, multioutput="raw_values"))))
        assert found.mae == pytest.approx(mean_absolute_error(y, predicted))
        assert found.mse == pytest.approx(mean_squared_error(y, predicted))
        assert str(found).startswith(f"R² {found.r2:.4f} on 90 rows")
        assert found.to_dict()["rows"] == 90


def test_what_cannot_be_evaluated_is_refused(classifier, three_classes, refuses):
    X, y = three_classes
    model = classifier().fit(X, y)
    with refuses(DataError, "the label 7 is not among the known classes"):
        evaluate(model, X, np.where(y == 1, 7, y))
    with refuses(DataError, "90 rows and y has 80"):
        evaluate(model, X, y[:80])
    labels = np.eye(3, dtype=int)[y]
    with refuses(DataError, "several labels"):
        evaluate(classifier().fit(X, labels), X, labels)
    with refuses(DataError, "must agree"):
        evaluate(Ridge().fit(X, y), X, y[:, None])
