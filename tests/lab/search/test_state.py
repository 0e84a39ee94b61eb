"""The state of a search, on trainings that are made up: no network is trained here."""

import hashlib
import random
from dataclasses import replace

import pytest

from mlplab import load_suite
from mlplab.lab.search.budget import Budget
from mlplab.lab.search.halving import WORST, Step, TrialProgress
from mlplab.lab.search.log import trial_of
from mlplab.lab.search.state import SearchState

SUITE = """
name = "look"
dataset = "digits"
seeds = 2
[settings]
max_iter = 9
[search]
epochs = 150
finalists = 2
sampler = "random"
space.hidden_layer_sizes = { depth = [0, 2], width = [4, 32] }
space.dropout = { low = 0.0, high = 0.5 }
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "look.toml").write_text(SUITE)
    return load_suite(tmp_path / "look.toml").bind("abc")


def curve(trial):
    """The scores of a trial after each of 9 epochs, which follow from its id alone."""
    chance = random.Random(hashlib.sha256(trial.encode()).digest())
    return [(chance.random(), -chance.random()) for _ in range(9)]


def progress_of(trial, epochs):
    """The progress of a trial that was trained for so many epochs of a second each."""
    scores = curve(trial)[:epochs]
    if epochs == 9:
        return TrialProgress(scores, ended=True, final=scores[-1], seconds_per_epoch=1.0)
    return TrialProgress(scores, seconds_per_epoch=1.0)


def search_on(suite, rounds, known, interrupt):
    """Continue a search, from its rounds and the progress of its trials, to its end or to an interruption.

    interrupt: is called before every training and returns whether it is interrupted there.
    """
    state, budget = SearchState(suite), Budget.of(suite, slots=2)
    for one in rounds:
        state.add(one, known)
    while True:
        steps = state.promotions()
        while not steps and (one := state.next_round(budget, seconds=0.0, rate=0.0)):
            rounds.append(one)
            state.add(one, known)
            steps = state.promotions()
        if not steps:
            return state
        for step in steps:
            if interrupt():
                return None
            known[step.trial] = state.progress[step.trial] = progress_of(step.trial, step.epochs)


def test_a_search_interrupted_at_any_step_decides_the_same(suite):
    rounds, known = [], {}
    undisturbed = search_on(suite, rounds, known, lambda: False)
    assert len(rounds) > 1
    chance = random.Random(0)
    for _ in range(10):
        again, made, end = [], {}, None
        while end is None:
            end = search_on(suite, again, made, lambda: chance.random() < 0.1)
        assert again == rounds
        assert made == known
        assert end.finalists() == undisturbed.finalists()


def test_a_search_spends_no_more_than_its_budget(suite):
    state = search_on(suite, [], {}, lambda: False)
    assert 150 - 2 * 2 * 9 - 9 < state.trained_epochs() <= 150 - 2 * 2 * 9


def test_the_finalists_have_the_highest_latest_accuracy(suite):
    rounds, known = [], {}
    state = search_on(suite, rounds, known, lambda: False)
    proposals = {trial_of(p, suite).id: p for one in rounds for p in one.proposals}
    best = sorted(known, key=lambda trial: curve(trial)[len(known[trial].scores) - 1], reverse=True)
    assert state.finalists() == [proposals[trial] for trial in best[:2]]


def test_at_equal_accuracy_the_one_trained_longer_ranks_first(suite):
    rounds = []
    state = search_on(suite, rounds, {}, lambda: False)
    first, second, *rest = state.trials
    state.progress |= {trial: TrialProgress(ended=True, final=WORST) for trial in rest}
    state.progress[first] = TrialProgress([(0.5, -0.1)])
    state.progress[second] = TrialProgress([(0.4, -0.4), (0.5, -0.9)])
    assert state.finalists() == [rounds[0].proposals[1], rounds[0].proposals[0]]
    state.progress[second] = TrialProgress(ended=True, final=WORST)
    assert state.finalists() == [rounds[0].proposals[0]]  # one that failed is not a finalist


def test_repairs_train_the_lost_trials_alone_as_far_as_before(suite):
    rounds, known = [], {}
    search_on(suite, rounds, known, lambda: False)
    lost = next(trial for trial in known if len(known[trial].scores) == 3)
    state, trained = SearchState(suite), []
    for one in rounds:
        state.add(one, {trial: progress for trial, progress in known.items() if trial != lost})
    assert state.lost == {lost}
    while steps := state.repairs():
        for step in steps:
            state.progress[step.trial] = progress_of(step.trial, step.epochs)
            trained.append(step)
    assert trained == [(lost, 1), (lost, 3)]


def test_times_follow_from_the_trials_that_were_timed(suite):
    state = SearchState(suite)
    one = state.next_round(Budget.of(suite, slots=2), seconds=0.0, rate=0.0)
    state.add(one, {})
    assert not state.is_timed
    first, second, third, *_ = state.trials
    state.progress[first] = TrialProgress([(0.9, -0.1)], seconds_per_epoch=2.0)
    state.progress[second] = TrialProgress([(0.8, -0.1)], seconds_per_epoch=4.0)
    assert state.is_timed
    steps = [step for step in state.promotions() if step.trial == third]
    assert state.seconds_of(steps) == [1 * 3.0]  # of an epoch, the mean
    assert state.seconds_of([Step(first, 3)]) == [2 * 2.0]  # two more epochs
    assert state.seconds_of_finalists() == [18.0, 18.0, 36.0, 36.0]  # 9 epochs with 2 seeds each


def test_the_time_used_so_far_does_not_count_for_the_first_round(suite):
    suite = replace(suite, search=replace(suite.search, epochs=None, minutes=2.0))
    budget = Budget.of(suite, slots=2)
    first = SearchState(suite).next_round(budget, seconds=0.0, rate=2.0)
    assert SearchState(suite).next_round(budget, seconds=100.0, rate=2.0) == first
    state = SearchState(suite)
    state.add(first, {})
    assert state.next_round(budget, seconds=120.0, rate=2.0) is None
