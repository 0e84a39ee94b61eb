from dataclasses import replace

import pytest

from mlplab import load_suite
from mlplab.errors import SettingError
from mlplab.lab.search.budget import Budget
from mlplab.lab.spec.search import Search
from mlplab.lab.spec.space import Choices

SEARCH = Search({"dropout": Choices((0.0, 0.5))}, epochs=1000, finalists=3)
#: 3 finalists × 2 seeds × 20 epochs = 120 epochs
BUDGET = Budget(SEARCH, seeds=2, max_epochs=20, slots=4)


def in_minutes(minutes, **changes):
    return replace(BUDGET, search=replace(SEARCH, epochs=None, minutes=minutes), **changes)


def test_a_budget_in_epochs_reserves_those_of_the_finalists():
    assert BUDGET.finalist_epochs == 120
    assert BUDGET.epochs_left(spent=300, rate=0.0) == 1000 - 300 - 120


def test_a_budget_in_minutes_reserves_the_time_of_the_finalists():
    # 6 trainings on 4 slots are 2 one after another, of 20 epochs at 10 / 4 epochs a second each: 16 seconds
    assert in_minutes(2.0).finalist_seconds(10.0) == 16.0
    assert in_minutes(2.0).epochs_left(spent=5000, seconds=64.0, rate=10.0) == (120 - 64 - 16) * 10


def test_of_two_limits_the_tighter_one_holds():
    both = replace(BUDGET, search=replace(SEARCH, minutes=2.0))
    assert both.epochs_left(spent=800, seconds=64.0, rate=10.0) == 1000 - 800 - 120
    assert both.epochs_left(spent=0, seconds=64.0, rate=10.0) == 400


def test_a_budget_of_a_suite_takes_the_default_of_max_iter():
    suite = load_suite("mnist-search")
    assert Budget.of(suite, 4) == Budget(suite.search, suite.seeds, suite.settings["max_iter"], 4)
    without = replace(suite, settings={k: v for k, v in suite.settings.items() if k != "max_iter"})
    assert Budget.of(without, 4).max_epochs == 200


@pytest.mark.parametrize(
    ("finalists", "fits"),
    [([], True), ([20.0] * 4, True), ([20.0] * 5, False)],  # 5 on 4 slots: the last one begins after 20 seconds
)
def test_there_is_time_for_steps_and_the_finalists_after_them(finalists, fits):
    # 10 + 10 seconds of steps after 75, and then the finalists, within 120
    assert in_minutes(2.0).has_time_for([10.0] * 8, finalists, seconds=75.0) == fits


def test_epochs_alone_take_any_time():
    assert BUDGET.has_time_for([1e9], [1e9], seconds=1e9)


def test_the_smallest_sufficient_budget_is_named(refuses):
    small = replace(BUDGET, search=replace(SEARCH, epochs=139))
    with refuses(SettingError, "epochs must be at least 140, for 3 finalists × 2 seeds × 20 epochs", "got 139"):
        small.plan_round(0, rate=0.0)
    enough = replace(BUDGET, search=replace(SEARCH, epochs=140))
    assert enough.plan_round(0, rate=0.0)[1] >= 1
    assert small.plan_round(1, rate=0.0) is None


def test_the_fewest_sufficient_minutes_are_named(refuses):
    # 16 seconds for the finalists and 2 for 20 epochs at 10 a second
    with refuses(SettingError, "minutes must be at least 0.3 on this machine", "got 0.25"):
        in_minutes(0.25).plan_round(0, rate=10.0)
    assert in_minutes(0.3).plan_round(0, rate=10.0)
