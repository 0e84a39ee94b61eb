import pytest

from mlplab.lab.spec.trial import Trial, describe_setting
from mlplab.training.settings import DEFAULTS


def make(seed=0, data="d", split="random", samples=None, **settings):
    return Trial({"tol": None, **settings}, seed, data, split, samples)


def test_everything_that_determines_a_result_changes_the_id():
    trials = [
        make(),
        make(seed=1),
        make(data="e"),
        make(split="official"),
        make(samples=10),
        make(max_iter=3),
        make(activation="tanh"),
        make(tol=0.1),
        make(input_scale=1),
    ]
    assert len({t.id for t in trials}) == len(trials)


@pytest.mark.parametrize("name", ["alpha", "solver", "max_iter"])
def test_a_setting_at_its_default_is_the_same_trial_as_one_left_out(name):
    assert make(**{name: DEFAULTS[name]}).id == make().id


def test_equal_numbers_of_other_types_are_the_same_trial():
    assert make(weight_decay=0).id == make(weight_decay=0.0).id
    assert make(hidden_layer_sizes=16).id == make(hidden_layer_sizes=(16,)).id


def test_trials_that_begin_alike_share_a_lineage_unless_something_else_may_stop_them():
    assert make(max_iter=3).lineage == make(max_iter=9).lineage
    assert make(max_iter=3).lineage != make(max_iter=9, alpha=0.5).lineage
    assert make(max_iter=3, tol=1e-3).lineage != make(max_iter=9, tol=1e-3).lineage
    assert make(max_iter=3, early_stopping=True).lineage != make(max_iter=9, early_stopping=True).lineage


def test_the_label_is_the_notebooks():
    trial = make(hidden_layer_sizes=(1024,), max_iter=20, learning_rate_init=0.01)
    assert trial.label(784, 10, []) == "[784-1024-10]_iter20_lr0.01_reg0.0"
    assert trial.label(784, 10, ["max_iter", "activation"]).endswith("_reg0.0_activation=relu")


def test_settings_in_words():
    assert describe_setting("hidden_layer_sizes", (64, 32)) == "64-32"
    assert describe_setting("hidden_layer_sizes", ()) == "no hidden layer"
    assert describe_setting("learning_rate_init", 0.01) == "lr 0.01"
    assert describe_setting("tol", None) == "tol none"
    assert describe_setting("learning_rate", "cosine") == "schedule cosine"
    assert describe_setting("batch_size", 64) == "batch size 64"
