from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from mlplab.nn.schedules import HORIZON_DEPENDENT, SCHEDULES, Schedule, WarmUp

EPOCHS = np.arange(0, 20, 0.25)
SETTINGS = {
    "learning_rate_init": 0.5,
    "power_t": 0.3,
    "learning_rate_decay": None,
    "learning_rate_step": 4,
    "warmup_epochs": 0.0,
    "max_iter": 20,
}


def one_cycle(t):
    up, down = t / 0.3, (t - 0.3) / 0.7
    rising = 0.04 + 0.96 * (1 - np.cos(np.pi * up)) / 2
    return np.where(t < 0.3, rising, 4e-6 + (1 - 4e-6) * (1 + np.cos(np.pi * down)) / 2)


#: The factor at each of EPOCHS, with 100 rows an epoch; the loss never falls.
ORACLES = {
    "constant": np.ones(80),
    "invscaling": (100 * np.floor(EPOCHS) + 1) ** -0.3,
    "adaptive": np.ones(80),
    "step": 0.1 ** np.floor(EPOCHS / 4),
    "exponential": 0.95 ** np.floor(EPOCHS),
    "cosine": (1 + np.cos(np.pi * EPOCHS / 20)) / 2,
    "one_cycle": one_cycle(EPOCHS / 20),
    # the first epoch is the best so far, and four may fail to better it: the fifth of them lowers the rate
    "plateau": 0.1 ** np.floor((np.floor(EPOCHS) - 1).clip(0) / 5),
}


def make(name, **given):
    return SCHEDULES[name](SimpleNamespace(**{**SETTINGS, **given}))


def course(schedule):
    factors = []
    for epoch in EPOCHS:
        if epoch and epoch == int(epoch):
            schedule.on_epoch_end(1.0)
        factors.append(schedule.factor(float(epoch), 100 * int(epoch)))
    return np.array(factors)


def test_every_schedule_has_an_oracle():
    assert set(ORACLES) == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_course_is_the_formulas(name):
    np.testing.assert_allclose(course(make(name)), ORACLES[name], rtol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_only_the_planned_ones_depend_on_the_number_of_epochs(name):
    same = (course(make(name, max_iter=20)) == course(make(name, max_iter=40))).all()
    assert same == (name not in HORIZON_DEPENDENT)


def test_a_decay_of_ones_own_is_used():
    assert make("step", learning_rate_decay=0.5).factor(9, 0) == 0.25
    assert make("exponential", learning_rate_decay=0.5).factor(3, 0) == 0.125


def test_plateau_waits_for_the_best_loss_to_be_bettered():
    schedule = make("plateau")
    for loss in (5.0, 6.0, 6.0, 6.0, 4.0, 4.5, 4.5, 4.5, 4.5):
        schedule.on_epoch_end(loss)
    assert schedule.factor(9, 0) == 1
    schedule.on_epoch_end(4.2)
    assert schedule.factor(10, 0) == 0.1


def test_adaptive_is_scikit_learns():
    theirs, ours = SGDOptimizer([], 0.5, "adaptive"), make("adaptive")
    for _ in range(20):
        stops = theirs.trigger_stopping("", verbose=False)
        assert ours.on_no_improvement() == stops
        assert 0.5 * ours.factor(0, 0) == pytest.approx(theirs.learning_rate)


def test_invscaling_is_scikit_learns():
    theirs, ours = SGDOptimizer([], 0.5, "invscaling", power_t=0.3), make("invscaling")
    for epoch in range(1, 5):
        theirs.iteration_ends(epoch * 37)
        assert 0.5 * ours.factor(epoch, epoch * 37) == pytest.approx(theirs.learning_rate)


@pytest.mark.parametrize("name", sorted(set(SCHEDULES) - {"adaptive"}))
def test_the_others_stop_where_training_would(name):
    assert make(name).on_no_improvement()


def test_warm_up_rises_in_a_straight_line_and_hands_over():
    schedule = WarmUp(4, make("cosine", max_iter=16))
    rising = [schedule.factor(epoch, 0) for epoch in np.arange(0, 4, 0.5)]
    np.testing.assert_allclose(rising, np.arange(0, 4, 0.5) / 4, atol=2e-4)
    assert rising[0] > 0
    assert schedule.factor(4, 0) == 1
    assert schedule.factor(12, 0) == pytest.approx(0.5)


def test_warm_up_forwards_events_to_the_schedule_after_it():
    schedule = WarmUp(1, make("adaptive"))
    assert not schedule.on_no_improvement()
    assert schedule.factor(5, 0) == pytest.approx(0.2)


def test_the_base_is_constant():
    assert course(Schedule()).tolist() == [1] * 80
