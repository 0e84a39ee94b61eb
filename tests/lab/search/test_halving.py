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


def train(steps, scores, standings, epochs):
    """Train as asked: what `scores` says of a trial after each epoch."""
    made = 0
    for name, level in steps:
        made += level - len(standings[name].scores)
        values = scores[name][:level]
        standings[name] = TrialProgress(values, ended=level == epochs, final=values[-1] if level == epochs else WORST)
    return made


settings = st.builds(
    dict,
    pruning=st.sampled_from(["halving", "hyperband", "none"]),
    survivors=st.integers(1, 4),
    reduction_factor=st.integers(2, 4),
    min_epochs=st.none() | st.integers(1, 5),
)


@given(settings, st.integers(1, 40), st.integers(0, 600), st.randoms(use_true_random=False))
def test_rounds_make_as_many_epochs_as_were_reckoned_and_never_more_than_the_budget(settings, epochs, budget, random):
    search, rounds, standings, scores, made, left = replace(SEARCH, **settings), [], {}, {}, 0, budget
    for number in count():
        if (found := next_round(search, epochs, number, left)) is None:
            break
        levels, size = found
        names = [f"{number}.{k}" for k in range(size)]
        scores |= {name: [(random.random(), 0.0) for _ in range(epochs)] for name in names}
        standings |= {name: TrialProgress() for name in names}
        rounds.append((levels, names))
        spent = 0
        while steps := promote(rounds, standings, search.reduction_factor):
            spent += train(steps, scores, standings, epochs)
        assert spent == cost(size, levels, search.reduction_factor)
        made, left = made + spent, left - spent
    assert made <= budget
    assert left < epochs  # not even one more would have gone to its end
    for _, names in rounds:
        assert len(names) < 2 or any(standing.ended for standing in standings.values())


def test_the_better_ones_of_a_round_go_on():
    scores = {f"{k}": [(k / 10, 0.0)] * 9 for k in range(9)}
    standings = dict.fromkeys(scores, TrialProgress())
    rounds = [((1, 3, 9), list(scores))]
    assert promote(rounds, standings, 3) == [(f"{k}", 1) for k in range(9)]
    train(promote(rounds, standings, 3), scores, standings, 9)
    assert promote(rounds, standings, 3) == [("8", 3), ("7", 3), ("6", 3)]
    train(promote(rounds, standings, 3), scores, standings, 9)
    assert promote(rounds, standings, 3) == [("8", 9)]
    train(promote(rounds, standings, 3), scores, standings, 9)
    assert promote(rounds, standings, 3) == []


def test_who_was_left_behind_goes_on_in_a_weaker_round():
    scores = {name: [(value, 0.0)] * 3 for name, value in {"a": 0.9, "b": 0.8, "c": 0.7}.items()}
    scores |= {name: [(value, 0.0)] * 3 for name, value in {"d": 0.3, "e": 0.2, "f": 0.1}.items()}
    standings = {name: TrialProgress(scores[name][:1]) for name in scores}
    standings["a"] = TrialProgress(scores["a"], ended=True, final=(0.9, 0.0))
    assert promote([((1, 3), ["a", "b", "c"]), ((1, 3), ["d", "e", "f"])], standings, 3) == [("b", 3)]


def test_a_tie_goes_to_the_lower_loss():
    standings = {
        "a": TrialProgress([(0.5, -0.9)]),
        "b": TrialProgress([(0.5, -0.8)]),
        "c": TrialProgress([(0.5, -1.0)]),
    }
    assert promote([((1, 3), ["a", "b", "c"])], standings, 3) == [("b", 3)]


def test_who_diverged_never_goes_on_and_stops_nobody():
    diverged = TrialProgress(ended=True)
    standings = {"a": diverged, "b": TrialProgress([(0.1, -2.0)]), "c": diverged}
    assert promote([((1, 3), ["a", "b", "c"])], standings, 3) == [("b", 3)]
    assert promote([((1, 3), ["a", "c"])], standings, 3) == []


def test_who_ended_before_a_rung_is_judged_by_its_end():
    stopped = TrialProgress([(0.2, -2.0), (0.9, -0.1)], ended=True, final=(0.9, -0.1))
    standings = {"early": stopped, "b": TrialProgress([(0.8, -0.2)] * 4), "c": TrialProgress([(0.7, -0.2)] * 4)}
    assert promote([((4, 12), ["early", "b", "c"])], standings, 3) == []
    assert promote([((4, 12), ["b", "early", "c"])], {**standings, "early": TrialProgress([(0.2, 0.0)] * 4)}, 3) == [
        ("b", 12)
    ]
