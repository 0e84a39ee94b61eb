import math

import pytest

from mlplab.metrics import METRICS
from mlplab.training.history import COLUMNS, MEASURES, Epoch, History

EPOCHS = [Epoch(1, 2.0, 0.5, 2.1, 0.4, 0.1, 2.5), Epoch(2, 1.0, 0.75, seconds=0.2, objective=1.5)]


@pytest.fixture
def history():
    return History(list(EPOCHS))


def test_a_history_is_its_epochs_in_order(history):
    assert len(history) == 2
    assert list(history) == EPOCHS


@pytest.mark.parametrize("column", [*COLUMNS, "objective"])
def test_a_column_is_that_value_of_every_epoch(history, column):
    assert history[column] == pytest.approx([getattr(epoch, column) for epoch in EPOCHS], nan_ok=True)


def test_a_dictionary_and_a_frame_have_the_columns_of_the_file(history):
    frame = history.to_frame()
    assert tuple(history.to_dict()) == tuple(frame.columns) == history.columns
    assert frame["train_loss"].tolist() == [2.0, 1.0]
    assert frame["val_loss"].isna().tolist() == [False, True]


def test_what_was_not_measured_is_nan():
    epoch = Epoch(1, 2.0, 0.5)
    assert all(math.isnan(value) for value in (epoch.val_loss, epoch.val_accuracy, epoch.seconds, epoch.objective))


@pytest.mark.parametrize("own", ["val_brier", "val_mse"])
def test_only_metrics_of_the_task_have_a_column(own):
    always = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")
    history = History([Epoch(1, 2.0, 0.5), Epoch(2, 2.0, 0.5, **{own: 0.25})])
    assert history.columns == (*always, own)
    assert History(list(EPOCHS)).columns == History().columns == always
    assert {*always, "val_brier", "val_mse"} == set(COLUMNS)


def test_records_of_before_a_metric_was_measured_are_read():
    old = {"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.5, "val_loss": 2.1, "val_accuracy": 0.4}
    history = History()
    history.records = [{**old, "seconds": 0.1, "objective": 2.5}]
    assert history.epochs[0].val_accuracy == 0.4
    assert math.isnan(history.epochs[0].val_brier)


def test_the_best_epoch_is_the_first_with_the_best_value():
    epochs = [
        Epoch(k, 1.0, 0.5, val_accuracy=a, val_brier=b) for k, (a, b) in enumerate([(0.5, 3), (0.7, 1), (0.7, 1)])
    ]
    history = History([*epochs, Epoch(3, 1.0, 0.5, val_accuracy=0.6, val_brier=2)])
    assert history.best(METRICS["accuracy"]).epoch == history.best(METRICS["brier"]).epoch == 1


def test_measures_are_the_losses_and_metrics_of_the_columns():
    assert [(one.name, one.rows, one.column) for one in MEASURES] == [
        ("loss", "training", "train_loss"),
        ("accuracy", "training", "train_accuracy"),
        ("loss", "validation", "val_loss"),
        ("accuracy", "validation", "val_accuracy"),
        ("brier", "validation", "val_brier"),
        ("mse", "validation", "val_mse"),
    ]
    assert [one.metric for one in MEASURES] == [METRICS.get(one.name) for one in MEASURES]


def test_no_epochs_are_no_special_case():
    assert len(History()) == 0
    assert History()["train_loss"] == []
    assert History().to_frame().empty
    assert History().epochs is not History().epochs
