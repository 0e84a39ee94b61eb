import pytest

from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import Trial, TrialResult, describe_setting
from mlplab.training.history import Epoch, History
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
def test_a_setting_at_its_default_does_not_change_the_trials_id(name):
    assert make(**{name: DEFAULTS[name]}).id == make().id


def test_equal_numbers_of_other_types_are_the_same_trial():
    assert make(weight_decay=0).id == make(weight_decay=0.0).id
    assert make(hidden_layer_sizes=16).id == make(hidden_layer_sizes=(16,)).id


def test_lineage_ignores_max_iter_unless_training_may_stop_early():
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


EPOCHS = [Epoch(1, 0.9, 0.5, 0.8, 0.7, 0.25, val_brier=0.4), Epoch(2, 0.6, 0.75, 0.9, 0.6, 0.5, val_brier=0.5)]


def test_a_result_has_the_measures_of_the_last_epoch():
    trial = make(seed=3, max_iter=2, hidden_layer_sizes=(4, 4))
    found = TrialResult.of(trial, "mine", History(list(EPOCHS)), status=Status.DONE, parameters=7)
    plain = {"tol": None, "max_iter": 2, "hidden_layer_sizes": [4, 4]}
    assert found == TrialResult(
        id=trial.id, label="mine", seed=3, settings=plain, status="done", epochs=2, train_loss=0.6, train_accuracy=0.75,
        val_loss=0.9, val_accuracy=0.6, seconds=0.75, parameters=7, error=None, val_brier=0.5,
    )  # fmt: skip


def test_a_result_has_the_validation_of_the_epoch_that_was_kept():
    found = TrialResult.of(make(), "mine", History(list(EPOCHS)), status=Status.DONE, parameters=7, kept=EPOCHS[0])
    assert (found.val_loss, found.val_accuracy, found.val_brier) == (0.8, 0.7, 0.4)
    assert (found.train_loss, found.train_accuracy, found.epochs) == (0.6, 0.75, 2)


def test_what_was_not_measured_is_none():
    found = TrialResult.of(make(), "mine", History([Epoch(1, 0.9, 0.5, 0.8, 0.7, 1.0)]), status="paused", parameters=7)
    assert found.val_brier is None
    assert found.val_accuracy == 0.7


def test_a_failed_result_has_nothing_but_its_error():
    found = TrialResult.failed(make(), "mine", "killed")
    assert (found.status, found.error, found.epochs, found.seconds) == ("failed", "killed", 0, 0)
    measures = (found.train_loss, found.train_accuracy, found.val_loss, found.val_accuracy, found.val_brier)
    assert measures == (None,) * 5
