import warnings
from itertools import pairwise

import numpy as np
import polars
import pytest
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from mlplab import Callback, NeuralNetworkClassifier, NeuralNetworkRegressor
from mlplab.errors import DataError, DivergenceError, SettingError
from mlplab.nn.losses import SoftmaxCrossEntropy
from mlplab.nn.schedules import Schedule
from mlplab.training.settings import SETTINGS

LEARNS = {"learning_rate_init": 0.05, "max_iter": 30}


def same_bits(one, other, X):
    return all(
        np.array_equal(a, b)
        for a, b in zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True)
    ) and np.array_equal(one.predict_proba(X), other.predict_proba(X))


class StopAt(Callback):
    """Keeps what it is told, and ends the training after an epoch: by its answer or by an error."""

    def __init__(self, epoch, error=None):
        self.epoch, self.error, self.told = epoch, error, []

    def on_fit_begin(self, estimator):
        self.told.append("begin")

    def on_epoch_end(self, estimator, epoch):
        self.told.append(epoch.epoch)
        if epoch.epoch == self.epoch and self.error:
            raise self.error
        return epoch.epoch == self.epoch

    def on_fit_end(self, estimator):
        self.told.append("end")


# What it learns


@pytest.mark.parametrize("problem", ["two_classes", "three_classes"])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 7, 6)])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_learns(request, classifier, problem, hidden, solver, fit_intercept):
    X, y = request.getfixturevalue(problem)
    model = classifier(hidden_layer_sizes=hidden, solver=solver, fit_intercept=fit_intercept, **LEARNS).fit(X, y)
    assert model.score(X, y) > 0.7
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("problem", ["two_classes", "three_classes"])
def test_predictions_are_the_forward_formula(request, classifier, problem):
    X, y = request.getfixturevalue(problem)
    model = classifier(activation="sigmoid", **LEARNS).fit(X, y)
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    z = expit(X @ W1 + b1) @ W2 + b2
    p = (
        np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        if len(model.classes_) > 2
        else np.hstack([1 - expit(z), expit(z)])
    )
    np.testing.assert_allclose(model.predict_proba(X), p, atol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(p), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), p.argmax(axis=1))
    assert model.score(X, y) == (p.argmax(axis=1) == y).mean()


def test_more_rows_than_fit_into_a_chunk_are_predicted_alike(classifier, three_classes):
    X, y = three_classes
    model = classifier().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(np.tile(X, (30, 1))), np.tile(model.predict_proba(X), (30, 1)))
    np.testing.assert_array_equal(model.predict(np.tile(X, (30, 1))), np.tile(model.predict(X), 30))


def test_the_logarithm_of_a_probability_of_zero_does_not_warn(classifier, two_classes):
    X, y = two_classes
    model = classifier(hidden_layer_sizes=()).fit(X, y)
    model.coefs_[0][...] = 1e6
    assert np.isneginf(model.predict_log_proba(X)).any()


@pytest.mark.parametrize(
    "labels",
    [
        ["ant", "bee", "cat"],
        np.array(["ant", "bee", "cat"], dtype=object),
        [-7, 0, 12],
        [1.0, 2.0, 5.0],
        [True, False],
        np.array([10, 20], np.uint8),
    ],
    ids=str,
)
def test_labels_of_any_kind_come_back_as_they_were(classifier, labels):
    labels = np.asarray(labels)
    codes = np.arange(90) % len(labels)
    X = np.eye(3)[codes] + np.random.default_rng(0).normal(0, 0.1, (90, 3))
    model = classifier(**LEARNS).fit(X, labels[codes])
    np.testing.assert_array_equal(model.classes_, np.sort(labels))
    assert model.predict(X).dtype == labels.dtype
    assert (model.predict(X) == labels[codes]).mean() > 0.9


def test_own_weights_are_not_hidden_copies(classifier, three_classes):
    X, y = three_classes
    model = classifier().fit(X, y)
    for part in [*model.coefs_, *model.intercepts_]:
        part[...] = 0
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)


def test_without_intercepts_the_intercepts_are_zero(classifier, three_classes):
    model = classifier(fit_intercept=False, **LEARNS).fit(*three_classes)
    assert [b.shape for b in model.intercepts_] == [(6,), (3,)]
    assert not any(b.any() for b in model.intercepts_)
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 4))), 1 / 3)  # relu(0) = 0 all the way


def test_an_alpha_of_weight_decay_times_the_batch_is_the_same(classifier, three_classes):
    by_alpha, by_decay = (
        classifier(**penalty).fit(*three_classes) for penalty in ({"alpha": 3.0}, {"alpha": 0, "weight_decay": 0.1})
    )
    np.testing.assert_allclose(by_alpha.loss_curve_, by_decay.loss_curve_, rtol=1e-12)


# Types and scales


@pytest.mark.parametrize(
    ("dtype", "given", "computed"),
    [
        (None, "float64", "float64"),
        (None, "float32", "float32"),
        (None, "float16", "float32"),
        (None, "int64", "float32"),
        (None, "uint8", "float32"),
        (None, "bool", "float32"),
        ("float32", "float64", "float32"),
        ("float64", "float32", "float64"),
        (np.float64, "uint8", "float64"),
    ],
)
def test_the_computing_type_follows_dtype_or_x(classifier, dtype, given, computed):
    X = (np.random.default_rng(0).integers(0, 3, (60, 4))).astype(given)
    model = classifier(dtype=dtype).fit(X, np.arange(60) % 3, X_val=X, y_val=np.arange(60) % 3)
    assert {part.dtype.name for part in [*model.coefs_, *model.intercepts_, model.predict_proba(X)]} == {computed}


@pytest.mark.parametrize("given", ["uint8", "int64", "float32", "float64", "bool"])
def test_the_type_of_whole_numbers_does_not_matter(classifier, given):
    X, y = np.random.default_rng(0).integers(0, 2, (60, 4)), np.arange(60) % 3
    expected = classifier(dtype="float32").fit(X, y)
    assert same_bits(classifier(dtype="float32").fit(X.astype(given), y), expected, X.astype(given))


def test_images_stay_uint8_and_are_scaled_batch_by_batch(classifier, monkeypatch):
    from mlplab.engine.numpy_engine import NumpyEngine

    seen, gather = set(), NumpyEngine.gather
    monkeypatch.setattr(
        NumpyEngine, "gather", lambda self, source, *rest: (seen.add(source.dtype.name), gather(self, source, *rest))[1]
    )
    X, y = np.random.default_rng(0).integers(0, 256, (60, 4), np.uint8), np.arange(60) % 3
    by_scale = classifier(input_scale=1 / 255).fit(X, y)
    by_scale.predict(X)
    assert seen == {"uint8", "float32"}  # the images, and the targets
    by_hand = classifier().fit(X.astype(np.float32) * np.float32(1 / 255), y)
    np.testing.assert_allclose(by_scale.loss_curve_, by_hand.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(by_scale.predict_proba(X), by_hand.predict_proba(X * np.float32(1 / 255)), rtol=1e-5)


def test_data_that_must_not_be_written_is_not_written(classifier, three_classes):
    X, y = (part.copy() for part in three_classes)
    X.flags.writeable = y.flags.writeable = False
    classifier(input_scale=0.5).fit(X, y, X_val=X, y_val=y).predict(X)


def test_values_that_float32_cannot_hold_are_refused(classifier, three_classes, refuses):
    X, y = three_classes
    model = classifier(dtype="float32").fit(X, y)
    with refuses(ValueError):
        model.predict_proba(1e300 * X)
    with refuses(ValueError):
        model.fit(1e300 * X, y)


# Seeds


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "sgd"}, {"hidden_layer_sizes": ()}])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(classifier, three_classes, settings):
    X, y = three_classes
    first, again, other = (classifier(random_state=seed, **settings).fit(X, y) for seed in (1, 1, 2))
    assert same_bits(first, again, X)
    assert not same_bits(first, other, X)


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_a_generator_gives_a_reproducible_sequence_of_seeds(classifier, three_classes, make):
    X, y = three_classes
    rng = make(0)
    first, second = (classifier(random_state=rng).fit(X, y) for _ in range(2))
    assert same_bits(first, classifier(random_state=make(0)).fit(X, y), X)
    assert not same_bits(first, second, X)


def test_without_a_seed_every_fit_differs(classifier, three_classes):
    X, y = three_classes
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (classifier(random_state=None).fit(X, y) for _ in range(2))
    assert not same_bits(first, second, X)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_width_does_not_change_the_order_of_the_rows(classifier, three_classes):
    # a learning rate that moves nothing: the batches' mean loss of a linear model tells the order
    X, y = three_classes
    start = [np.random.default_rng(0).normal(size=(4, 3))]
    settings = {
        "hidden_layer_sizes": (),
        "learning_rate_init": 1e-300,
        "batch_size": 89,
        "shuffle": True,
        "max_iter": 1,
    }
    losses = [classifier(**settings, solver=solver).fit(X, y, coef_init=start).loss_ for solver in ("sgd", "adam")]
    assert losses[0] == losses[1]


def test_a_second_fit_starts_from_scratch(classifier, three_classes, two_classes):
    X, y = two_classes
    model = classifier().fit(*three_classes).fit(X, y)
    assert same_bits(model, classifier().fit(X, y), X)
    assert len(model.history_) == 4


# Start weights


def start_for(three_classes, hidden=(6,)):
    rng, sizes = np.random.default_rng(0), (three_classes[0].shape[1], *hidden, 3)
    coefs = [rng.normal(size=(i, o)) for i, o in pairwise(sizes)]
    return coefs, [rng.normal(size=o) for o in sizes[1:]]


def test_training_starts_from_a_copy_of_given_weights(classifier, three_classes):
    X, y = three_classes
    coefs, intercepts = start_for(three_classes)
    kept = [part.copy() for part in [*coefs, *intercepts]]
    model = classifier(learning_rate_init=1e-300).fit(X, y, coef_init=coefs, intercept_init=intercepts)
    for fitted, given in zip([*model.coefs_, *model.intercepts_], kept, strict=True):
        np.testing.assert_array_equal(fitted, given)
    classifier(**LEARNS).fit(X, y, coef_init=coefs, intercept_init=intercepts)
    for given, before in zip([*coefs, *intercepts], kept, strict=True):
        np.testing.assert_array_equal(given, before)


def test_a_fit_from_the_weights_of_another_continues_it(classifier, three_classes):
    X, y = three_classes
    settings = {"solver": "sgd", "momentum": 0, "shuffle": False}
    whole = classifier(**settings, max_iter=6).fit(X, y)
    half = classifier(**settings, max_iter=3).fit(X, y)
    rest = classifier(**settings, max_iter=3).fit(X, y, coef_init=half.coefs_, intercept_init=half.intercepts_)
    assert same_bits(whole, rest, X)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("coef_init", lambda coefs, intercepts: coefs[:1]),
        ("coef_init", lambda coefs, intercepts: [*coefs, coefs[0]]),
        ("coef_init", lambda coefs, intercepts: [W.T for W in coefs]),
        ("coef_init", lambda coefs, intercepts: [coefs[0], coefs[1][:, :2]]),
        ("coef_init", lambda coefs, intercepts: []),
        ("intercept_init", lambda coefs, intercepts: intercepts[::-1]),
        ("intercept_init", lambda coefs, intercepts: [b[:, None] for b in intercepts]),
        ("intercept_init", lambda coefs, intercepts: [0, 0]),
    ],
)
def test_start_weights_of_wrong_shapes_are_refused(classifier, three_classes, refuses, name, spoil):
    right = "[(4, 6), (6, 3)]" if name == "coef_init" else "[(6,), (3,)]"
    with refuses(DataError, name, right):
        classifier().fit(*three_classes, **{name: spoil(*start_for(three_classes))})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_start_weights_that_are_not_finite_are_refused(classifier, three_classes, refuses, bad):
    coefs, _ = start_for(three_classes)
    coefs[0][1, 2] = bad
    with refuses(ValueError):
        classifier().fit(*three_classes, coef_init=coefs)


def test_start_biases_for_a_network_without_biases_are_refused(classifier, three_classes, refuses):
    with refuses(DataError, "intercept_init"):
        classifier(fit_intercept=False).fit(*three_classes, intercept_init=start_for(three_classes)[1])


# Weights of rows


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_in_full_batches_a_weight_of_two_is_a_doubled_row(classifier, three_classes, solver, alpha):
    X, y = three_classes
    twice = np.arange(len(y)) % 4 == 0
    start = dict(zip(("coef_init", "intercept_init"), start_for(three_classes), strict=True))
    settings = {"solver": solver, "alpha": alpha, "shuffle": False, "max_iter": 10, "learning_rate_init": 0.05}
    doubled = classifier(**settings, batch_size=len(y) + twice.sum())
    doubled.fit(np.concatenate([X, X[twice]]), np.concatenate([y, y[twice]]), **start)
    weighted = classifier(**settings, batch_size=len(y)).fit(X, y, 1.0 + twice, **start)
    np.testing.assert_allclose(weighted.loss_curve_, doubled.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(weighted.predict_proba(X), doubled.predict_proba(X), rtol=1e-9)


def test_in_full_batches_a_weight_of_zero_is_a_missing_row(classifier, three_classes):
    X, y = three_classes
    kept = np.arange(len(y)) >= 30
    start = dict(zip(("coef_init", "intercept_init"), start_for(three_classes), strict=True))
    settings = {"shuffle": False, "learning_rate_init": 0.05}
    missing = classifier(**settings, batch_size=60).fit(X[kept], y[kept], **start)
    weighted = classifier(**settings, batch_size=90).fit(X, y, kept.astype(float), **start)
    np.testing.assert_allclose(weighted.loss_curve_, missing.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(weighted.coefs_[0], missing.coefs_[0], rtol=1e-9)


def test_weights_follow_their_rows_through_a_split(classifier, three_classes):
    X, y = three_classes
    weights = np.where(y == 2, 0.0, 1.0)
    model = classifier(early_stopping=True, **LEARNS).fit(X, y, weights)
    assert not (model.predict(X) == 2).any()


@pytest.mark.parametrize("weights", [[-1.0] * 90, [np.nan] * 90, [1.0] * 89, ["a"] * 90])
def test_weights_that_are_none_are_refused(classifier, three_classes, weights):
    with pytest.raises(ValueError, match=r"(?i)weight|could not convert"):
        classifier().fit(*three_classes, weights)


# Stopping and validation


class Recorder(Callback):
    def __init__(self):
        self.weights = []

    def on_epoch_end(self, estimator, epoch):
        self.weights.append([part.copy() for part in [*estimator.coefs_, *estimator.intercepts_]])


@pytest.mark.parametrize("own", [True, False])
def test_early_stopping_keeps_the_weights_of_the_best_epoch(classifier, three_classes, own):
    X, y = three_classes
    recorder = Recorder()
    given = {"X_val": X[:30] + 1, "y_val": y[:30]} if own else {}
    settings = {"early_stopping": True, "tol": 0.0, "n_iter_no_change": 5, "max_iter": 200, "solver": "sgd"}
    model = classifier(**settings, learning_rate_init=0.9, callbacks=[recorder]).fit(X, y, **given)
    scores = model.validation_scores_
    best = int(np.argmax(scores))
    assert best < len(scores) - 1  # else this shows nothing
    for kept, then in zip([*model.coefs_, *model.intercepts_], recorder.weights[best], strict=True):
        np.testing.assert_array_equal(kept, then)
    assert model.best_validation_score_ == scores[best] == max(scores)
    assert model.best_loss_ is None
    if own:
        assert model.score(X[:30] + 1, y[:30]) == pytest.approx(max(scores))


def test_early_stopping_sets_a_fraction_aside(classifier, three_classes):
    model = classifier(early_stopping=True, validation_fraction=0.3).fit(*three_classes)
    assert model.n_training_rows_ == 63
    assert model.t_ == 63 * model.n_iter_


@pytest.mark.parametrize("seed", range(5))
def test_the_fraction_that_is_set_aside_is_stratified(classifier, seed):
    # a model that always answers "rare" and never learns: its accuracy is the share of that class
    y = np.repeat(["common", "often", "rare"], [60, 30, 10])
    settings = {"hidden_layer_sizes": (), "learning_rate_init": 1e-300, "random_state": seed}
    model = classifier(early_stopping=True, validation_fraction=0.3, **settings)
    model.fit(np.ones((100, 2)), y, coef_init=[np.zeros((2, 3))], intercept_init=[np.array([0.0, 0.0, 9.0])])
    assert model.validation_scores_[0] == pytest.approx(0.1)


@pytest.mark.parametrize("counts", [[30, 30, 1], [8, 8, 8, 8, 8]])
def test_a_split_of_rare_classes_is_not_stratified(classifier, counts):
    # scikit-learn takes such data: a class with a single row, and fewer validation rows than classes
    y = np.repeat(np.arange(len(counts)), counts)
    model = classifier(early_stopping=True).fit(np.eye(len(y)), y)
    assert model.n_training_rows_ == len(y) - np.ceil(0.1 * len(y))


def test_early_stopping_with_too_few_rows_is_refused(classifier, refuses):
    with refuses(ValueError):
        classifier(early_stopping=True).fit(np.eye(4), [0, 0, 1, 1])


def test_validation_rows_are_measured_but_not_trained_on(classifier, three_classes):
    X, y = three_classes
    with_validation = classifier().fit(X, y, X_val=X[:20], y_val=y[:20])
    without = classifier().fit(X, y)
    assert same_bits(with_validation, without, X)
    assert without.validation_loss_curve_ is None
    assert without.validation_scores_ is None
    p = with_validation.predict_proba(X[:20])
    assert with_validation.validation_loss_curve_[-1] == pytest.approx(-np.log(p[np.arange(20), y[:20]]).mean())
    assert with_validation.history_["val_accuracy"][-1] == with_validation.score(X[:20], y[:20])


def test_validation_labels_may_lack_classes_and_be_text(classifier, three_classes):
    X, y = three_classes
    names = np.array(["ant", "bee", "cat"])[y]
    model = classifier(**LEARNS).fit(X, names, X_val=X[y > 0], y_val=names[y > 0])
    assert model.history_["val_accuracy"][-1] == model.score(X[y > 0], names[y > 0])


@pytest.mark.parametrize(
    ("X_val", "y_val", "fragments"),
    [
        (np.eye(4), None, ["X_val and y_val belong together"]),
        (None, [0, 1], ["X_val and y_val belong together"]),
        (np.eye(4), [0, 1, 2, 7], ["y_val", "7", "not among the known classes"]),
        (np.eye(4), [0, 1, 2, -1], ["y_val", "-1", "not among the known classes"]),
        (np.eye(4), ["a", "b", "a", "b"], ["y_val", "a"]),
        (np.eye(4), [0.5, 1, 2, 0], ["y_val", "0.5"]),
        (np.eye(4), [0, 1], ["4", "2"]),
        (np.eye(3), [0, 1, 2], ["3 features", "4 features"]),
    ],
)
def test_validation_rows_that_do_not_fit_are_refused(classifier, three_classes, refuses, X_val, y_val, fragments):
    with refuses(ValueError, *fragments):
        classifier().fit(*three_classes, X_val=X_val, y_val=y_val)


def test_text_labels_are_not_mixed_with_numbers(classifier, three_classes, refuses):
    X, y = three_classes
    with refuses(ValueError, "y_val"):
        classifier().fit(X, y.astype(str), X_val=X, y_val=y)


def test_a_nan_among_the_validation_rows_is_refused(classifier, three_classes):
    with pytest.raises(ValueError, match="NaN"):
        classifier().fit(*three_classes, X_val=np.full((4, 4), np.nan), y_val=[0, 1, 2, 0])


@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_tol_of_none_makes_every_epoch_without_a_warning(classifier, three_classes, early_stopping):
    model = classifier(tol=None, max_iter=40, n_iter_no_change=1, early_stopping=early_stopping).fit(*three_classes)
    assert model.n_iter_ == len(model.loss_curve_) == 40


@pytest.mark.parametrize("early_stopping", [True, False])
def test_no_progress_ends_the_training(classifier, three_classes, early_stopping):
    model = classifier(tol=100.0, max_iter=40, n_iter_no_change=3, early_stopping=early_stopping).fit(*three_classes)
    assert model.n_iter_ == 5  # the first epoch, and more than three that brought nothing


def test_running_out_of_epochs_is_a_convergence_warning(classifier, three_classes):
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(4\) reached"):
        classifier(tol=1e-4).fit(*three_classes)


def test_a_divergence_is_an_error_that_keeps_the_history(classifier, three_classes, refuses):
    model = classifier(solver="sgd", learning_rate_init=1e30, alpha=1.0, max_iter=40)
    with refuses(DivergenceError, "epoch", "learning_rate_init=1e+30"):
        model.fit(*three_classes)
    assert len(model.history_) == model.history_.diverged_in - 1


def test_early_stopping_survives_a_divergence(three_classes):
    X, y = three_classes
    settings = {"activation": "identity", "learning_rate_init": 1.0, "solver": "sgd", "max_iter": 30, "random_state": 0}
    model = NeuralNetworkRegressor((20,), early_stopping=True, warm_start=True, **settings)
    with pytest.warns(ConvergenceWarning, match="stopped being finite.*the best epoch are kept"):
        model.fit(1e3 * X, y)
    assert 0 < model.n_iter_ == model.history_.diverged_in - 1
    assert np.isnan(model.validation_scores_[-1])
    assert model.best_validation_score_ == max(model.validation_scores_[:-1])
    assert np.isfinite(model.predict(X)).all()
    # and may go on from there, more slowly: here hardly at all, for that epoch was far gone already
    model.set_params(learning_rate_init=1e-300, max_iter=3, tol=None).fit(1e3 * X, y)
    assert model.n_iter_ == 3
    assert model.history_.diverged_in is None


# Callbacks, progress, interruption


def test_callbacks_are_called_at_begin_every_epoch_and_end(classifier, three_classes):
    callback = StopAt(None)
    classifier(max_iter=3, callbacks=[callback]).fit(*three_classes)
    assert callback.told == ["begin", 1, 2, 3, "end"]


def test_all_callbacks_are_called_in_the_epoch_that_one_ends(classifier, three_classes):
    callbacks = [StopAt(2), StopAt(None)]
    model = classifier(max_iter=10, callbacks=callbacks).fit(*three_classes)
    assert model.n_iter_ == 2
    assert [callback.told for callback in callbacks] == [["begin", 1, 2, "end"]] * 2


class Batches(Callback):
    """Hears of epochs and batches, and may stop after a number of them."""

    def __init__(self, last=None):
        self.epochs, self.losses, self.last = [], [], last

    def on_epoch_begin(self, estimator, epoch):
        self.epochs.append(epoch)

    def on_batch_end(self, estimator, loss):
        self.losses.append(loss)
        return len(self.losses) == self.last


def test_callbacks_are_called_before_epochs_and_after_batches(classifier, three_classes):
    callback = Batches()
    model = classifier(max_iter=3, batch_size=30, callbacks=[callback]).fit(*three_classes)
    assert callback.epochs == [1, 2, 3]
    np.testing.assert_allclose(np.reshape(callback.losses, (3, 3)).mean(axis=1), model.history_["train_loss"])


def test_the_steps_of_an_epoch_that_a_callback_ends_are_kept(classifier, three_classes):
    callbacks = [Batches(4), Batches()]
    model = classifier(max_iter=3, batch_size=30, callbacks=callbacks).fit(*three_classes)
    assert model.n_iter_ == 1
    assert [len(callback.losses) for callback in callbacks] == [4, 4]
    assert (model.coefs_[0] != classifier(max_iter=1, batch_size=30).fit(*three_classes).coefs_[0]).any()


def test_a_callback_that_does_nothing_changes_nothing(classifier, three_classes):
    X, y = three_classes
    assert same_bits(classifier(callbacks=[Callback()]).fit(X, y), classifier().fit(X, y), X)


def test_a_callback_sees_a_usable_estimator_and_the_epoch(classifier, three_classes):
    X, y = three_classes
    seen = []

    class Look(Callback):
        def on_epoch_end(self, estimator, epoch):
            seen.append((epoch.val_accuracy, estimator.score(X, y), estimator.history_.epochs[-1] is epoch))

    classifier(callbacks=[Look()]).fit(X, y, X_val=X, y_val=y)
    assert len(seen) == 4
    assert all(accuracy == score and current for accuracy, score, current in seen)


def test_an_interruption_keeps_the_epochs_so_far(classifier, three_classes):
    X, y = three_classes
    callback = StopAt(3, KeyboardInterrupt())
    model = classifier(max_iter=10, callbacks=[callback])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert model.n_iter_ == len(model.history_) == 3
    assert callback.told[-1] == "end"
    assert same_bits(model, classifier(max_iter=3).fit(X, y), X)


def test_an_interruption_with_early_stopping_keeps_the_best(classifier, three_classes):
    X, y = three_classes
    recorder = Recorder()
    model = classifier(
        early_stopping=True,
        max_iter=50,
        solver="sgd",
        learning_rate_init=0.9,
        callbacks=[recorder, StopAt(20, KeyboardInterrupt())],
    )
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    best = int(np.argmax(model.validation_scores_))
    np.testing.assert_array_equal(model.coefs_[0], recorder.weights[best][0])


def test_an_error_in_a_callback_is_raised_after_on_fit_end(classifier, three_classes):
    callbacks = [StopAt(2, RuntimeError("mine")), StopAt(None)]
    with pytest.raises(RuntimeError, match="mine"):
        classifier(callbacks=callbacks).fit(*three_classes)
    assert all(callback.told[-1] == "end" for callback in callbacks)


def test_verbose_prints_a_line_for_every_epoch(classifier, three_classes, capsys):
    X, y = three_classes
    classifier(verbose=True).fit(X, y, X_val=X, y_val=y)
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == ""
    assert [line.split(", loss = ")[0] for line in lines] == [f"Iteration {k}" for k in (1, 2, 3, 4)]
    assert all("accuracy" in line and "validation" in line and "\x1b" not in line for line in lines)


def test_otherwise_nothing_is_printed(classifier, three_classes, capsys):
    classifier().fit(*three_classes).predict(three_classes[0])
    assert capsys.readouterr() == ("", "")


# Parts of one's own


class Softplus:
    """a = log(1 + eᶻ); its derivative, the sigmoid of z, reads z."""

    needs_z = True

    def forward(self, xp, z, a):
        a[...] = xp.logaddexp(0, z)

    def backward(self, xp, z, a, da):
        da *= expit(z)


class SiLU:
    needs_z = True

    def forward(self, xp, z, a):
        a[...] = z * expit(z)

    def backward(self, xp, z, a, da):
        s = expit(z)
        da *= s + z * s * (1 - s)


class DoubledCrossEntropy(SoftmaxCrossEntropy):
    def value_and_delta(self, xp, z, T):
        value = super().value_and_delta(xp, z, T)
        z *= 2
        return 2 * value


@pytest.mark.parametrize("own", [Softplus(), SiLU()])
def test_an_activation_of_ones_own_is_trained_with(classifier, three_classes, own):
    from mlplab import gradient_check

    X, y = three_classes
    model = classifier(activation=own, hidden_layer_sizes=(8, 7), **LEARNS)
    assert gradient_check(model, X, y, sample=None).passed
    model.fit(X, y)
    a = X
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        z, a = a @ W + b, np.empty((len(X), W.shape[1]))
        own.forward(np, z, a)
    np.testing.assert_allclose(model.predict(X), (a @ model.coefs_[-1] + model.intercepts_[-1]).argmax(axis=1))
    assert model.score(X, y) > 0.8


def test_an_initializer_of_ones_own_draws_the_start(classifier, three_classes):
    shapes = []

    def constant(rng, inputs, outputs):
        shapes.append((inputs, outputs))
        return np.full((inputs, outputs), 0.25)

    model = classifier(initializer=constant, learning_rate_init=1e-300).fit(*three_classes)
    assert shapes == [(4, 6), (6, 3)]
    assert all((W == 0.25).all() for W in model.coefs_)


def test_a_loss_of_ones_own_is_minimised(classifier, three_classes):
    X, y = three_classes
    settings = {"solver": "sgd", "momentum": 0, "alpha": 0}
    doubled = classifier(loss=DoubledCrossEntropy(), learning_rate_init=0.01, **settings).fit(X, y)
    plain = classifier(learning_rate_init=0.02, **settings).fit(X, y)
    np.testing.assert_allclose(np.array(doubled.loss_curve_) / 2, plain.loss_curve_, rtol=1e-12)
    assert doubled.out_activation_ == "softmax"


# What is refused


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_checked_when_fitting(classifier, three_classes, refuses, name):
    with refuses(SettingError, f"{name} must be"):
        classifier().set_params(**{name: object()}).fit(*three_classes)


def test_a_misspelt_name_brings_the_nearest_one(classifier, three_classes, refuses):
    with refuses(SettingError, "activation must be", "got 'sigmod'", "did you mean 'sigmoid'?"):
        classifier(activation="sigmod").fit(*three_classes)


@pytest.mark.parametrize("labels", [[7] * 90, ["a"] * 90])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_class_only_is_always_predicted(classifier, three_classes, labels, early_stopping):
    X, _ = three_classes
    model = classifier(early_stopping=early_stopping).fit(X, labels)
    assert set(model.predict(X)) == {labels[0]}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((90, 1)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nan_or_infinity_is_refused(classifier, three_classes, bad):
    X, y = three_classes[0].copy(), three_classes[1]
    model = classifier().fit(X, y)
    X[3, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.predict(X)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_predicting_before_fitting_is_refused(classifier, method):
    with pytest.raises(NotFittedError):
        getattr(classifier(), method)(np.eye(4))


@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "loss_curve_", "n_iter_", "t_", "best_loss_", "loss_"])
def test_before_fitting_there_are_no_fitted_attributes(classifier, name):
    assert not hasattr(classifier(), name)


def test_hasattr_works_after_an_interrupted_first_epoch(classifier, three_classes, monkeypatch):
    from mlplab.training.trainer import Trainer

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_step", interrupt)
    model = classifier()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*three_classes)
    assert model.n_iter_ == 0
    for name in ("loss_", "best_loss_", "validation_loss_curve_", "best_validation_score_"):
        getattr(model, name, None)  # an AttributeError at most


def test_a_column_less_in_predictions_is_refused(classifier, three_classes):
    model = classifier().fit(*three_classes)
    with pytest.raises(ValueError, match="4 features"):
        model.predict(three_classes[0][:, :3])


def test_one_row_and_one_feature_are_no_special_cases(classifier):
    model = classifier(batch_size=1).fit([[0.0], [1.0]], [0, 1])
    assert model.predict_proba([[0.5]]).shape == (1, 2)
    assert (
        NeuralNetworkClassifier(hidden_layer_sizes=1, max_iter=2, tol=None).fit([[0], [1], [2]], list("abc")).n_layers_
        == 3
    )


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_a_continued_fit_uses_the_present_settings(classifier, three_classes, how):
    X, y = three_classes
    model = classifier(warm_start=True).fit(X, y)
    model.set_params(activation="tanh", dropout=0.5, loss="focal")
    if how == "warm_start":
        model.fit(X, y)
    else:
        model.partial_fit(X, y)
    W, b = model.coefs_, model.intercepts_
    z = np.tanh(X @ W[0] + b[0]) @ W[1] + b[1]
    np.testing.assert_array_equal(model.predict(X), z.argmax(axis=1))
    assert model.network_.network.noise.dropout == 0.5
    assert type(model.network_.loss).__name__ == "SoftmaxFocal"


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
@pytest.mark.parametrize(
    "changed",
    [{"hidden_layer_sizes": (9,)}, {"normalization": "batch"}, {"fit_intercept": False}, {"dtype": "float32"}],
)
def test_settings_of_another_network_are_refused(classifier, three_classes, refuses, how, changed):
    X, y = three_classes
    model = classifier(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(**changed)
    with refuses(SettingError, next(iter(changed)), "cannot change"):
        model.fit(X, y) if how == "warm_start" else model.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_custom_schedule_starts_over_in_every_fit(classifier, three_classes):
    class Counting(Schedule):
        steps = 0

        def factor(self, epoch, rows):
            self.steps += 1
            return 1 / self.steps

    model = classifier(learning_rate=Counting())
    first = model.fit(*three_classes).loss_curve_
    assert model.fit(*three_classes).loss_curve_ == first
    assert model.learning_rate.steps == 0


def test_class_weights_of_zero_or_below_are_refused(classifier, three_classes, refuses):
    with refuses(DataError, "leaves no row that counts"):
        classifier(class_weight={0: 0, 1: 0, 2: 0}).fit(*three_classes)
    with refuses(SettingError, "weights of at least 0 by class"):
        classifier(class_weight={0: -1}).fit(*three_classes)


@pytest.mark.parametrize("plan", [{"learning_rate": "one_cycle"}, {"learning_rate": "cosine"}, {"average_epochs": 3}])
def test_tol_that_ends_training_before_its_plan_gives_a_warning(classifier, three_classes, plan):
    settings = {"max_iter": 50, "tol": 1.0, "n_iter_no_change": 2}
    with pytest.warns(ConvergenceWarning, match=r"tol ended the training in epoch 4 of 50, before .*tol=None"):
        classifier(**settings, **plan).fit(*three_classes)
    classifier(**{**settings, "tol": None, "max_iter": 5}, **plan).fit(*three_classes)  # warnings are errors


def test_frames_of_polars_keep_the_names_of_their_columns(classifier, three_classes):
    X, y = three_classes
    frame = polars.DataFrame(dict(zip("abcd", X.T, strict=True)))
    model = classifier().fit(frame, polars.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.predict_proba(frame), classifier().fit(X, y).predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.select(list("dcba")))
