from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.lab.search.halving import WORST, TrialProgress, cost, next_round, promote, rungs
from mlplab.lab.spec.search import Search
from mlplab.lab.spec.space import Choices

SEARCH = Search({"dropout": Choices((0.0, 0.5))}, epochs=1000)


@pytest.mark.parametrize(
    ("epochs", "settings", "expected"),
    [
        (27, {}, (1, 3, 9, 27)),
        (81, {}, (3, 9, 27, 81)),
        (81, {"min_epochs": 1}, (1, 3, 9, 27, 81)),
        (20, {}, (2, 7, 20)),
        (20, {"min_epochs": 5}, (7, 20)),
        (16, {"reduction_factor": 2, "min_epochs": 2}, (2, 4, 8, 16)),
        (1, {}, (1,)),
        (20, {"pruning": "none"}, (20,)),
    ],
)
def test_rungs_are_a_factor_apart(epochs, settings, expected):
    assert rungs(epochs, replace(SEARCH, **settings)) == expected


def test_the_cost_of_a_round_counts_only_the_epochs_that_are_new():
    # 9 for 1 epoch, 3 of them for 2 more, 1 of them for 6 more
    assert cost(9, (1, 3, 9), 3) == 9 * 1 + 3 * 2 + 1 * 6


def train(steps, scores, progress, epochs):
    """Train trials, whose scores after each epoch are given."""
    made = 0
    for name, level in steps:
        made += level - len(progress[name].scores)
        values = scores[name][:level]
        progress[name] = TrialProgress(values, ended=level == epochs, final=values[-1] if level == epochs else WORST)
    return made


settings = st.builds(
    dict,
    pruning=st.sampled_from(["halving", "hyperband", "none"]),
    survivors=st.integers(1, 4),
    reduction_factor=st.integers(2, 4),
    min_epochs=st.none() | st.integers(1, 5),
)


@given(settings, st.integers(1, 40), st.integers(0, 600), st.randoms(use_true_random=False))
def test_rounds_take_their_cost_and_never_exceed_the_budget(settings, epochs, budget, random):
    search, rounds, progress, scores, made, left = replace(SEARCH, **settings), [], {}, {}, 0, budget
    for number in count():
        if (found := next_round(search, epochs, number, left)) is None:
            break
        levels, size = found
        names = [f"{number}.{k}" for k in range(size)]
        scores |= {name: [(random.random(), 0.0) for _ in range(epochs)] for name in names}
        progress |= {name: TrialProgress() for name in names}
        rounds.append((levels, names))
        spent = 0
        while steps := promote(rounds, progress, search.reduction_factor):
            spent += train(steps, scores, progress, epochs)
        assert spent == cost(size, levels, search.reduction_factor)
        made, left = made + spent, left - spent
    assert made <= budget
    assert left < epochs  # not even one more would have gone to its end
    for _, names in rounds:
        assert len(names) < 2 or any(one.ended for one in progress.values())


def test_the_best_of_a_round_are_promoted():
    scores = {f"{k}": [(k / 10, 0.0)] * 9 for k in range(9)}
    progress = dict.fromkeys(scores, TrialProgress())
    rounds = [((1, 3, 9), list(scores))]
    assert promote(rounds, progress, 3) == [(f"{k}", 1) for k in range(9)]
    train(promote(rounds, progress, 3), scores, progress, 9)
    assert promote(rounds, progress, 3) == [("8", 3), ("7", 3), ("6", 3)]
    train(promote(rounds, progress, 3), scores, progress, 9)
    assert promote(rounds, progress, 3) == [("8", 9)]
    train(promote(rounds, progress, 3), scores, progress, 9)
    assert promote(rounds, progress, 3) == []


def test_a_paused_trial_is_promoted_in_a_weaker_round():
    scores = {name: [(value, 0.0)] * 3 for name, value in {"a": 0.9, "b": 0.8, "c": 0.7}.items()}
    scores |= {name: [(value, 0.0)] * 3 for name, value in {"d": 0.3, "e": 0.2, "f": 0.1}.items()}
    progress = {name: TrialProgress(scores[name][:1]) for name in scores}
    progress["a"] = TrialProgress(scores["a"], ended=True, final=(0.9, 0.0))
    assert promote([((1, 3), ["a", "b", "c"]), ((1, 3), ["d", "e", "f"])], progress, 3) == [("b", 3)]


def test_a_tie_goes_to_the_lower_loss():
    progress = {
        "a": TrialProgress([(0.5, -0.9)]),
        "b": TrialProgress([(0.5, -0.8)]),
        "c": TrialProgress([(0.5, -1.0)]),
    }
    assert promote([((1, 3), ["a", "b", "c"])], progress, 3) == [("b", 3)]


def test_a_diverged_trial_is_never_promoted():
    diverged = TrialProgress(ended=True)
    progress = {"a": diverged, "b": TrialProgress([(0.1, -2.0)]), "c": diverged}
    assert promote([((1, 3), ["a", "b", "c"])], progress, 3) == [("b", 3)]
    assert promote([((1, 3), ["a", "c"])], progress, 3) == []


def test_a_trial_that_ended_early_is_ranked_by_its_end():
    stopped = TrialProgress([(0.2, -2.0), (0.9, -0.1)], ended=True, final=(0.9, -0.1))
    progress = {"early": stopped, "b": TrialProgress([(0.8, -0.2)] * 4), "c": TrialProgress([(0.7, -0.2)] * 4)}
    assert promote([((4, 12), ["early", "b", "c"])], progress, 3) == []
    assert promote([((4, 12), ["b", "early", "c"])], {**progress, "early": TrialProgress([(0.2, 0.0)] * 4)}, 3) == [
        ("b", 12)
    ]
