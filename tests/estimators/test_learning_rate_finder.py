import numpy as np
import pytest

from mlplab import Callback, NeuralNetworkRegressor, find_learning_rate, plot_learning_rates
from mlplab.errors import SettingError


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_rates_rise_evenly_until_the_loss_explodes(classifier, three_classes, solver):
    found = find_learning_rate(classifier(solver=solver, batch_size=10), *three_classes, lowest=1e-5, highest=1e3)
    assert found.rates[0] == pytest.approx(1e-5)
    assert len(found.rates) == len(found.losses) < 200
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e8) / 199)
    assert found.losses[-1] > 2 * min(found.losses)
    assert found.suggestion == pytest.approx(found.rates[int(np.argmin(found.losses))] / 10)


def test_without_an_explosion_it_makes_all_steps(classifier, three_classes):
    found = find_learning_rate(classifier(), *three_classes, lowest=1e-6, highest=1e-5, steps=50)
    assert len(found.rates) == 50
    assert found.rates[-1] == pytest.approx(1e-5)


def test_the_suggestion_learns(classifier, three_classes):
    model = classifier(solver="sgd", momentum=0, batch_size=10, max_iter=30, tol=None)
    found = find_learning_rate(model, *three_classes)
    good, poor = (
        model.set_params(learning_rate_init=rate).fit(*three_classes).loss_
        for rate in (found.suggestion, found.suggestion / 1000)
    )
    assert good < poor


def test_the_estimator_is_left_alone(classifier, three_classes):
    model = classifier(callbacks=[Callback()], early_stopping=True)
    before = dict(vars(model))
    find_learning_rate(model, *three_classes, steps=20)
    assert vars(model) == before


def test_values_have_a_rate_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    found = find_learning_rate(NeuralNetworkRegressor((5,), batch_size=10, random_state=0), X, X[:, 0])
    assert 1e-4 < found.suggestion < 1


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"solver": "lbfgs"}, {}, "no learning rate"),
        ({}, {"lowest": 1, "highest": 0.1}, "0 < lowest < highest"),
        ({}, {"steps": 3}, "at least 10 steps"),
    ],
)
def test_what_makes_no_sense_is_refused(classifier, three_classes, refuses, settings, given, message):
    with refuses(SettingError, message):
        find_learning_rate(classifier(**settings), *three_classes, **given)


def test_the_figure_shows_the_curve_and_the_suggestion(classifier, three_classes):
    found = find_learning_rate(classifier(batch_size=10), *three_classes)
    ax = plot_learning_rates(found)
    assert ax.get_xscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([found.rates, found.losses], axis=1))
    assert ax.lines[1].get_xdata()[0] == found.suggestion
