"""The promise to drop into scikit-learn's code: its own checks, its own tools, and its own MLPClassifier's numbers."""

import pickle
import warnings
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlplab import NeuralNetworkClassifier, NeuralNetworkRegressor

NO_BOUNDARY = NeuralNetworkClassifier((), max_iter=100, tol=None, fit_intercept=False, learning_rate_init=0.03)
CHECKED = [
    NeuralNetworkClassifier(max_iter=100),
    NO_BOUNDARY,
    NeuralNetworkClassifier(solver="lbfgs", max_iter=100),
    NeuralNetworkRegressor(max_iter=100, learning_rate_init=0.01),
    NeuralNetworkRegressor((), max_iter=100, tol=None, fit_intercept=False, learning_rate_init=0.03),
    NeuralNetworkRegressor(solver="lbfgs", max_iter=100),
]


def expected_to_fail(estimator):
    if estimator is not NO_BOUNDARY:
        return {}
    return {"check_class_weight_classifiers": "a boundary through the origin cannot be moved by weights"}


# The checks cap max_iter, so that some of the fits do not converge.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CHECKED, expected_failed_checks=expected_to_fail)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_they_are_a_classifier_and_a_regressor():
    assert is_classifier(NeuralNetworkClassifier())
    assert is_regressor(NeuralNetworkRegressor())


# Parity


class StartingFrom:
    """What gives scikit-learn's estimators their start weights, which are no parameter of them."""

    def start_from(self, coefs, intercepts):
        self._starts = iter(zip(coefs, intercepts, strict=True))
        return self

    def _init_coef(self, fan_in, fan_out, dtype):
        W, b = next(self._starts)
        assert W.shape == (fan_in, fan_out)
        return W.astype(dtype), b.astype(dtype)


class ClassifierFrom(StartingFrom, MLPClassifier):
    pass


class RegressorFrom(StartingFrom, MLPRegressor):
    pass


def starts(X, outputs, hidden):
    sizes, rng = (X.shape[1], *hidden, outputs), np.random.default_rng(5)
    coefs = [rng.normal(0, 0.5, (i, o)) for i, o in pairwise(sizes)]
    return coefs, [rng.normal(0, 0.5, o) for o in sizes[1:]]


def outputs_for(y):
    if y.ndim > 1:
        return y.shape[1]
    classes = len(np.unique(y))
    return classes if classes > 2 and y.dtype.kind in "iu" else 1


def unfitted(X, y, **settings):
    """Return theirs, ours and the start of both."""
    settings = {"hidden_layer_sizes": (7, 5), "shuffle": False, "max_iter": 12, "batch_size": 20, **settings}
    coefs, intercepts = starts(X, outputs_for(y), settings["hidden_layer_sizes"])
    classes = y.dtype.kind in "iu"
    theirs = (ClassifierFrom if classes else RegressorFrom)(**settings).start_from(coefs, intercepts)
    ours = (NeuralNetworkClassifier if classes else NeuralNetworkRegressor)(**settings)
    return theirs, ours, {"coef_init": coefs, "intercept_init": intercepts}


def both(X, y, sample_weight=None, ours_X=None, **settings):
    """Fit theirs and ours from the same start, and return both."""
    theirs, ours, start = unfitted(X, y, **settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*converge")
        theirs.fit(X, y, sample_weight)
        ours.fit(X if ours_X is None else ours_X, y, sample_weight, **start)
    return theirs, ours


def assert_same(theirs, ours, X):
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    for mine, other in zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-10)
    if is_regressor(ours):
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8, atol=1e-10)
        return
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


@pytest.fixture
def problem(request, three_classes):
    """Return X and y by name: two or three classes, labels, or values."""
    X = three_classes[0]
    values = X @ np.array([[1.0, 0.2], [-0.5, 0.4], [0.3, -1.0], [0.1, 0.6]]) + np.sin(X[:, :2])
    return {
        "two_classes": lambda: request.getfixturevalue("two_classes"),
        "three_classes": lambda: three_classes,
        "labels": lambda: (X, (values > [0.2, 0.5]).astype(int)),
        "values": lambda: (X, values[:, 0]),
        "counts": lambda: (X, np.exp(values[:, 0] / 3).round()),
    }[request.param]()


PROBLEMS = ["two_classes", "three_classes", "labels", "values"]
any_problem = pytest.mark.parametrize("problem", PROBLEMS, indirect=True)
SCHEDULES = {
    "constant": {"momentum": 0.5},
    "invscaling": {"power_t": 0.1},
    "adaptive": {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 400},
}


@any_problem
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_are_scikit_learns(problem, schedule, weighted):
    X, y = problem
    weights = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else None
    settings = {"solver": "sgd", "learning_rate_init": 0.05, "activation": "tanh", "alpha": 0.3, **SCHEDULES[schedule]}
    theirs, ours = both(X, y, weights, learning_rate=schedule, **settings)
    assert_same(theirs, ours, X)
    assert ours.n_iter_ == theirs.n_iter_
    if schedule == "adaptive":
        assert 20 < ours.n_iter_ < 400  # it has gone on where the constant one would have stopped


@any_problem
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_adam_is_scikit_learns_for_labels_and_values_too(problem, alpha, weighted):
    X, y = problem
    weights = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else None
    assert_same(*both(X, y, weights, activation="logistic", alpha=alpha, **SOLVERS["adam"]), X)


@pytest.mark.parametrize("problem", ["counts"], indirect=True)
@every_solver
def test_poisson_is_scikit_learns(problem, solver):
    X, y = problem
    settings = solver | {"learning_rate_init": 0.01}
    assert_same(*both(X, y, loss="poisson", activation="tanh", alpha=0.3, **settings), X)


@pytest.mark.parametrize("problem", [*PROBLEMS, "counts"], indirect=True)
@pytest.mark.parametrize("limits", [{"max_iter": 15}, {"max_fun": 12}, {"max_iter": 1000, "tol": 0.05}])
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_is_scikit_learns(problem, limits, weighted, request):
    X, y = problem
    weights = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else None
    loss = {"loss": "poisson"} if "counts" in request.node.callspec.id else {}
    # early stopping is nothing that lbfgs has, there as here
    limits = limits | {"early_stopping": weighted}
    theirs, ours = both(X, y, weights, solver="lbfgs", activation="tanh", alpha=0.5, **limits, **loss)
    assert ours.n_iter_ == theirs.n_iter_ < 100
    assert ours.validation_scores_ is ours.best_validation_score_ is None
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-8)
    for mine, other in zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


@every_solver
def test_a_loss_of_k_values_is_k_times_scikit_learns(three_classes, solver):
    X, _ = three_classes
    y = X[:, :3] ** 2 - X[:, 1:4]
    theirs, ours = both(X, y, activation="tanh", alpha=0.0, **solver | {"learning_rate_init": 0.01})
    np.testing.assert_allclose(ours.loss_curve_, 3 * np.array(theirs.loss_curve_), rtol=1e-10)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8, atol=1e-10)


@any_problem
@every_solver
def test_a_warm_start_continues_as_in_scikit_learn(problem, solver):
    X, y = problem
    theirs, ours, start = unfitted(X, y, warm_start=True, max_iter=3, activation="tanh", **solver)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*converged")
        theirs.fit(X, y)
        ours.fit(X, y, **start)
        for settings in ({}, {"alpha": 0.5, "max_iter": 5}, {"tol": 100.0, "max_iter": 50, "n_iter_no_change": 2}):
            for model in (theirs, ours):
                model.set_params(**settings).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_ < 5
    assert len(ours.loss_curve_) == 3 + 3 + 5 + ours.n_iter_
    assert ours.t_ == theirs.t_
    assert_same(theirs, ours, X)


@any_problem
def test_a_warm_start_of_invscaling_begins_at_the_full_rate(problem):
    X, y = problem
    settings = {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05, "power_t": 0.2}
    theirs, ours, start = unfitted(X, y, warm_start=True, max_iter=3, activation="tanh", **settings)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*converged")
        for given in (start, {}):
            theirs.fit(X, y)
            ours.fit(X, y, **given)
    assert_same(theirs, ours, X)


@any_problem
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fits_continue_as_in_scikit_learn(problem, solver, learning_rate):
    X, y = problem
    if solver == "adam" and learning_rate != "constant":
        pytest.skip("scikit-learn has schedules for sgd alone")
    settings = {"solver": solver, "learning_rate": learning_rate, "learning_rate_init": 0.03, "activation": "tanh"}
    theirs, ours, start = unfitted(X, y, max_iter=1, power_t=0.2, **settings, n_iter_no_change=1, tol=0.1)
    classes = {} if y.dtype.kind == "f" else {"classes": np.arange(y.shape[1]) if y.ndim > 1 else np.unique(y)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*converged")
        theirs.fit(X, y)
        ours.fit(X, y, **start)
    for part in (slice(0, 50), slice(50, 90), slice(0, 50), slice(50, 90), slice(0, 90), slice(20, 60), slice(0, 90)):
        weights = np.linspace(0.5, 2, 90)[part]
        theirs.partial_fit(X[part], y[part], weights, **classes)
        ours.partial_fit(X[part], y[part], weights, **classes)
        assert ours.n_iter_ == theirs.n_iter_ == 1
    assert ours.t_ == theirs.t_
    assert_same(theirs, ours, X)


@any_problem
@pytest.mark.parametrize("container", [csr_matrix, csr_array])
def test_sparse_rows_give_scikit_learns_numbers(problem, container):
    X, y = problem
    X = np.where(X > 0, X, 0.0)
    for settings in ({"solver": "adam"}, {"solver": "sgd", "learning_rate_init": 0.05}):
        theirs, ours = both(X, y, ours_X=container(X), activation="tanh", **settings)
        assert_same(theirs, ours, X)
        np.testing.assert_array_equal(ours.predict(container(X)), ours.predict(X))


# Passes


def make(problem, **settings):
    """Return an estimator for the problem, and what its first partial_fit needs to be told."""
    _, y = problem
    settings = {"hidden_layer_sizes": (6,), "batch_size": 20, "random_state": 3, "tol": None, **settings}
    if y.dtype.kind == "f":
        return NeuralNetworkRegressor(**settings), {}
    return NeuralNetworkClassifier(**settings), {"classes": np.arange(y.shape[1]) if y.ndim > 1 else np.unique(y)}


def bits(model):
    return [part.tobytes() for part in (*model.coefs_, *model.intercepts_)]


every_stochastic = pytest.mark.parametrize("solver", ["sgd", "adam", "rmsprop", "adamw", "nadam", "muon"])
any_schedule = pytest.mark.parametrize("schedule", ["constant", "invscaling", "cosine", "plateau"])


@any_problem
@every_stochastic
@any_schedule
def test_passes_are_the_epochs_of_a_fit_bit_for_bit(problem, solver, schedule):
    model, known = make(problem, solver=solver, learning_rate=schedule, max_iter=5)
    whole = clone(model).fit(*problem)
    for _ in range(5):
        model.partial_fit(*problem, **known)
    assert bits(model) == bits(whole)
    assert model.loss_curve_ == whole.loss_curve_


@any_problem
@every_stochastic
@pytest.mark.parametrize("through", ["pickle", "joblib"])
def test_a_model_stored_between_passes_continues_bit_for_bit(problem, solver, through, tmp_path):
    model, known = make(problem, solver=solver, learning_rate="invscaling")
    for _ in range(2):
        model.partial_fit(*problem, **known)
    if through == "pickle":
        stored = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model.joblib")
        stored = joblib.load(tmp_path / "model.joblib")
    for each in (model, stored):
        for _ in range(3):
            each.partial_fit(*problem)
    assert bits(stored) == bits(model)
    assert stored.loss_curve_ == model.loss_curve_
    assert stored.t_ == model.t_ == 5 * 90


def test_a_stored_learner_still_learns_its_own_network(three_classes):
    model, known = make(three_classes)
    stored = pickle.loads(pickle.dumps(model.partial_fit(*three_classes, **known)))
    before, other = bits(stored), bits(model)
    stored.partial_fit(*three_classes)
    assert bits(stored) != before
    assert bits(model) == other


@any_problem
def test_passes_may_follow_a_fit_by_lbfgs(problem):
    model, _ = make(problem, solver="lbfgs", max_iter=400, tol=0.01)
    fitted = bits(model.fit(*problem))
    model.set_params(solver="sgd", learning_rate_init=1e-3).partial_fit(*problem)
    assert bits(model) != fitted
    assert model.loss_curve_[-1] < 1.01 * model.loss_curve_[0]


def test_the_first_partial_fit_needs_the_classes(classifier, three_classes, refuses):
    with refuses(ValueError, "classes must be passed on the first call to partial_fit"):
        classifier().partial_fit(*three_classes)
    classifier().fit(*three_classes).partial_fit(*three_classes)  # a fit has seen them


# Weights


@any_problem
def test_weights_that_are_assigned_are_those_of_the_other_model(problem):
    X, y = problem
    model, other = (make(problem, random_state=seed, max_iter=3)[0].fit(X, y) for seed in (0, 1))
    assert bits(model) != bits(other)
    model.coefs_, model.intercepts_ = other.coefs_, other.intercepts_
    assert bits(model) == bits(other)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    other.partial_fit(X, y)
    assert bits(model) != bits(other)  # it is a copy


def test_weights_of_other_shapes_are_refused_and_change_nothing(three_classes, refuses):
    model, _ = make(three_classes, max_iter=2)
    with pytest.raises(AttributeError):
        model.coefs_ = []
    before = bits(model.fit(*three_classes))
    with refuses(ValueError, "coefs_", "(4, 6)"):
        model.coefs_ = [np.zeros((4, 5)), np.zeros((6, 3))]
    assert bits(model) == before
    flat, _ = make(three_classes, fit_intercept=False, max_iter=2)
    with refuses(ValueError, "fit_intercept=False"):
        flat.fit(*three_classes).intercepts_ = [np.ones(6), np.zeros(3)]


def test_the_widest_numbers_are_computed_in_float64(three_classes):
    X, y = three_classes
    model, _ = make(three_classes, max_iter=2)
    assert {W.dtype for W in model.fit(X.astype(np.longdouble), y).coefs_} == {np.dtype(np.float64)}


# Values


@pytest.mark.parametrize("problem", ["values"], indirect=True)
def test_early_stopping_of_a_regressor_uses_r2_of_given_rows(problem):
    X, y = problem
    settings = {"early_stopping": True, "max_iter": 60, "tol": None, "learning_rate_init": 0.02, "random_state": 0}
    model = NeuralNetworkRegressor((8,), **settings).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert len(model.validation_scores_) == model.n_iter_ == 60
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X[60:], y[60:]) == pytest.approx(model.best_validation_score_)
    assert r2_score(y[60:], model.predict(X[60:])) > 0.8


def test_a_single_column_of_values_is_predicted_as_a_vector(three_classes):
    X, _ = three_classes
    for estimator in (NeuralNetworkRegressor, MLPRegressor):
        with pytest.warns(DataConversionWarning):
            model = estimator(hidden_layer_sizes=(3,), tol=1e9, n_iter_no_change=1).fit(X, X[:, :1])
        assert model.predict(X).shape == (90,)


def test_text_is_no_value(three_classes, refuses):
    X, y = three_classes
    with refuses(ValueError, "y must be numbers"):
        NeuralNetworkRegressor().fit(X, y.astype(str))


def test_values_that_float32_cannot_hold_are_refused(three_classes, refuses):
    X, _ = three_classes
    with refuses(ValueError, "y holds values beyond", "float32"):
        NeuralNetworkRegressor().fit(X.astype(np.float32), np.full(90, 1e39))


# Tools


def frame(kind, X):
    names = ["width", "height", "weight", "age"]
    table = pd.DataFrame(X, columns=names)
    return table if kind == "pandas" else pytest.importorskip("polars").DataFrame(dict(zip(names, X.T, strict=True)))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("early_stopping", [False, True])
@any_problem
def test_data_frames_keep_their_names_and_give_the_same_bits(problem, kind, early_stopping):
    X, y = problem
    model, _ = make(problem, early_stopping=early_stopping, max_iter=4)
    named = clone(model).fit(frame(kind, X), y)
    assert bits(named) == bits(model.fit(X, y))
    assert list(named.feature_names_in_) == ["width", "height", "weight", "age"]
    np.testing.assert_array_equal(named.predict(frame(kind, X)), model.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame("pandas", X)[["height", "width", "weight", "age"]])
    with pytest.warns(UserWarning, match="feature names"):
        named.predict(X)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [2.0, 3.0, 7.0], [True, False, True]])
@pytest.mark.parametrize("form", [np.array, pd.Series, list])
def test_labels_come_back_as_they_were(classifier, three_classes, labels, form):
    X, y = three_classes
    named = form([labels[k] for k in y])
    model = classifier(max_iter=30, learning_rate_init=0.05, early_stopping=form is list).fit(X, named)
    assert set(model.classes_.tolist()) == set(labels)
    assert model.predict(X).dtype == model.classes_.dtype == np.asarray(named).dtype or form is pd.Series
    assert model.score(X, named) > 0.6


def test_weights_are_routed_through_a_search_over_a_pipeline(classifier, three_classes):
    X, y = three_classes
    weights = np.where(y == 2, 0.0, 1.0)  # class 2 weighs nothing: it is never predicted, wherever weights arrive
    with config_context(enable_metadata_routing=True):
        model = classifier(max_iter=30, learning_rate_init=0.05)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        search = GridSearchCV(Pipeline([("scale", scaler), ("model", model)]), {"model__alpha": [0.0, 0.1]}, cv=3)
        search.fit(X, y, sample_weight=weights)
        assert search.best_score_ > 0.8  # the rows of class 2, all wrong, count nothing
        assert not (search.predict(X) == 2).any()
        unweighted = clone(search).fit(X, y, sample_weight=np.ones(90))
        assert (unweighted.predict(X) == 2).any()


@pytest.mark.parametrize("problem", ["values"], indirect=True)
def test_a_regressor_works_in_their_tools(problem):
    X, y = problem
    piped = make_pipeline(
        StandardScaler(), NeuralNetworkRegressor((8,), solver="lbfgs", tol=1e-3, max_iter=5000, random_state=0)
    )
    assert cross_val_score(piped, X, y, cv=3).min() > 0.8
    search = GridSearchCV(piped, {"neuralnetworkregressor__alpha": [0.1, 1e6]}, cv=3).fit(X, y)
    assert search.best_params_ == {"neuralnetworkregressor__alpha": 0.1}


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
