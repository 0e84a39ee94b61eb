import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from mlplab import from_sklearn, to_sklearn
from mlplab.errors import SettingError
from tests.export.conftest import NETWORKS, answers

UNKNOWN_THERE = ("layer", "an activation a layer")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("kind", ["three", "two", "text", "labels"])
@pytest.mark.parametrize("settings", [s for name, s in NETWORKS.items() if name not in UNKNOWN_THERE])
def test_scikit_learns_class_predicts_the_same(classifier, three_classes, settings, kind):
    X, y = three_classes[0], answers(three_classes, kind)
    model = classifier(**{"hidden_layer_sizes": (6, 5), **settings}).fit(X, y)
    other = to_sklearn(model)
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert other.loss_curve_ == model.loss_curve_


def test_scikit_learns_regressor_predicts_the_same(values):
    X, model = values
    other = to_sklearn(model)
    assert isinstance(other, MLPRegressor)
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", UNKNOWN_THERE)
def test_what_scikit_learn_does_not_have_is_refused(classifier, three_classes, refuses, name):
    with refuses(SettingError, "MLPClassifier has no"):
        to_sklearn(classifier(**{"hidden_layer_sizes": (6, 5), **NETWORKS[name]}).fit(*three_classes))


def test_what_is_copied_is_not_shared(classifier, three_classes):
    model = classifier().fit(*three_classes)
    other, before = to_sklearn(model), model.coefs_[0].copy()
    other.coefs_[0][...] = 0
    np.testing.assert_array_equal(model.coefs_[0], before)


@pytest.mark.parametrize("kind", ["three", "two", "text", "labels"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fitted_one_of_scikit_learns_comes_over(three_classes, kind, solver):
    X, y = three_classes[0], answers(three_classes, kind)
    other = MLPClassifier((6,), max_iter=5, solver=solver, random_state=0).fit(X, y)
    model = from_sklearn(other)
    np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    assert model.loss_curve_ == list(getattr(other, "loss_curve_", []))


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_a_fitted_regressor_of_scikit_learns_comes_over(three_classes, columns, loss):
    X = three_classes[0]
    y = np.abs(X[:, 0] if columns == 1 else X[:, :columns])
    other = MLPRegressor(loss, (6,), max_iter=5, early_stopping=True, random_state=0).fit(X, y)
    model = from_sklearn(other)
    np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-9, atol=1e-12)
    assert model.predict(X).shape == other.predict(X).shape
    assert model.best_validation_score_ == other.best_validation_score_
