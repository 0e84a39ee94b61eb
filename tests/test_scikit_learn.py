"""The promise to drop into scikit-learn's code: its own checks, its own tools, and its own MLPClassifier's numbers."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlplab import NeuralNetworkClassifier


# The checks cap max_iter, so that some of the fits do not converge.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        NeuralNetworkClassifier(max_iter=100),
        NeuralNetworkClassifier((), max_iter=100, tol=None, fit_intercept=False, learning_rate_init=0.03),
    ]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_it_is_a_classifier():
    assert is_classifier(NeuralNetworkClassifier())


# Parity


class TheirsFrom(MLPClassifier):
    """scikit-learn's classifier with given start weights, which are no parameter of it."""

    def fit_from(self, X, y, coefs, intercepts, sample_weight=None):
        self._starts = iter(zip(coefs, intercepts, strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            return self.fit(X, y, sample_weight=sample_weight)

    def _init_coef(self, fan_in, fan_out, dtype):
        W, b = next(self._starts)
        assert W.shape == (fan_in, fan_out)
        return W.astype(dtype), b.astype(dtype)


def starts(X, y, hidden):
    classes = len(np.unique(y))
    sizes, rng = (X.shape[1], *hidden, classes if classes > 2 else 1), np.random.default_rng(5)
    coefs = [rng.normal(0, 0.5, (i, o)) for i, o in pairwise(sizes)]
    return coefs, [rng.normal(0, 0.5, o) for o in sizes[1:]]


def both(X, y, sample_weight=None, **settings):
    """Fit theirs and ours from the same start, and return both."""
    hidden = settings.setdefault("hidden_layer_sizes", (7, 5))
    settings = {"shuffle": False, "max_iter": 12, "batch_size": 20, **settings}
    coefs, intercepts = starts(X, y, hidden)
    theirs = TheirsFrom(**settings).fit_from(X, y, coefs, intercepts, sample_weight)
    ours = NeuralNetworkClassifier(**settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*converged")
        ours.fit(X, y, sample_weight, coef_init=coefs, intercept_init=intercepts)
    return theirs, ours


def assert_same(theirs, ours, X):
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    for mine, other in zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


SOLVERS = {
    "plain": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.2},
    "momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True, "learning_rate_init": 0.05},
    "adam": {"solver": "adam", "learning_rate_init": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
every_problem = pytest.mark.parametrize("problem", ["two_classes", "three_classes"])


@every_solver
@every_problem
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_curves_and_weights_are_mlp_classifiers(request, problem, solver, activation, alpha):
    X, y = request.getfixturevalue(problem)
    assert_same(*both(X, y, activation=activation, alpha=alpha, **solver), X)


@every_solver
@every_problem
@pytest.mark.parametrize("hidden", [(), (3,), (6, 5, 4)])
def test_any_depth_equals_mlp_classifier(request, problem, solver, hidden):
    X, y = request.getfixturevalue(problem)
    assert_same(*both(X, y, hidden_layer_sizes=hidden, activation="tanh", **solver), X)


@every_problem
@pytest.mark.parametrize("batch_size", ["auto", 1, 17, 90])
def test_any_batch_size_equals_mlp_classifier(request, problem, batch_size):
    X, y = request.getfixturevalue(problem)
    assert_same(*both(X, y, activation="tanh", batch_size=batch_size, alpha=0.5, **SOLVERS["plain"]), X)


@every_solver
@every_problem
def test_sample_weights_weigh_as_in_mlp_classifier(request, problem, solver):
    X, y = request.getfixturevalue(problem)
    weights = np.random.default_rng(1).uniform(0.1, 3, len(y))
    assert_same(*both(X, y, weights, activation="tanh", alpha=0.5, **solver), X)


@every_problem
def test_training_stops_in_the_same_epoch_as_mlp_classifiers(request, problem):
    X, y = request.getfixturevalue(problem)
    theirs, ours = both(X, y, activation="tanh", tol=1e-2, n_iter_no_change=3, max_iter=300, **SOLVERS["plain"])
    assert 3 < ours.n_iter_ < 300
    assert ours.n_iter_ == theirs.n_iter_
    assert_same(theirs, ours, X)


@every_problem
def test_fitted_attributes_are_mlp_classifiers(request, problem):
    X, y = request.getfixturevalue(problem)
    theirs, ours = both(X, y, **SOLVERS["plain"])
    public = [name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")]
    assert {"coefs_", "loss_curve_", "t_", "best_loss_", "out_activation_"} <= set(public)
    for name in public:
        mine, other = getattr(ours, name), getattr(theirs, name)
        if name in ("coefs_", "intercepts_"):
            assert [part.shape for part in mine] == [part.shape for part in other]
        elif isinstance(other, str) or other is None:
            assert mine == other, name
        else:
            np.testing.assert_allclose(mine, other, rtol=1e-10, err_msg=name)


# Tools


def test_a_clone_has_the_settings_and_no_state(classifier, three_classes):
    model = classifier(alpha=0.5, activation="tanh").fit(*three_classes)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "classes_")
    assert not hasattr(twin, "coefs_")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_model_predicts_the_same_bits(classifier, three_classes, protocol):
    X, _ = three_classes
    model = classifier().fit(*three_classes)
    twin = pickle.loads(pickle.dumps(model, protocol))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.loss_curve_ == model.loss_curve_
    twin.coefs_[0][...] = 0
    assert not np.array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_it_works_in_a_pipeline(classifier, three_classes):
    X, y = three_classes
    piped = make_pipeline(StandardScaler(), classifier(max_iter=30, learning_rate_init=0.05)).fit(1000 * X, y)
    assert piped.score(1000 * X, y) > 0.8


def test_a_grid_search_finds_the_learning_rate_that_learns(classifier, three_classes):
    grid = {"learning_rate_init": [1e-8, 0.05], "hidden_layer_sizes": [(), (6,)]}
    search = GridSearchCV(classifier(max_iter=20), grid, cv=3).fit(*three_classes)
    assert search.best_params_["learning_rate_init"] == 0.05
    assert search.best_score_ > 0.7


def test_cross_validation_scores_are_those_of_the_folds(classifier, three_classes):
    scores = cross_val_score(classifier(max_iter=20, learning_rate_init=0.05), *three_classes, cv=3)
    assert len(scores) == 3
    assert scores.min() > 0.6


def test_its_probabilities_can_be_calibrated(classifier, two_classes):
    X, y = two_classes
    calibrated = CalibratedClassifierCV(classifier(max_iter=20, learning_rate_init=0.05), cv=2).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


def test_set_params_takes_settings_and_refuses_other_names(classifier):
    assert classifier().set_params(alpha=0.5).alpha == 0.5
    with pytest.raises(ValueError, match="hidden_sizes"):
        classifier().set_params(hidden_sizes=(3,))
    with pytest.raises(TypeError, match="hidden_sizes"):
        NeuralNetworkClassifier(hidden_sizes=(3,))


def test_repr_is_what_would_make_it_again():
    model = NeuralNetworkClassifier((7, 5), alpha=0.5, activation="tanh")
    assert repr(model) == "NeuralNetworkClassifier(activation='tanh', alpha=0.5, hidden_layer_sizes=(7, 5))"
    assert eval(repr(model)).get_params() == model.get_params()
    assert repr(NeuralNetworkClassifier()) == "NeuralNetworkClassifier()"
