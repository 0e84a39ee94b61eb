import math

import pytest

from mlplab.training.history import COLUMNS, Epoch, History

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
    assert tuple(history.to_dict()) == tuple(frame.columns) == COLUMNS
    assert frame["train_loss"].tolist() == [2.0, 1.0]
    assert frame["val_loss"].isna().tolist() == [False, True]


def test_what_was_not_measured_is_nan():
    epoch = Epoch(1, 2.0, 0.5)
    assert all(math.isnan(value) for value in (epoch.val_loss, epoch.val_accuracy, epoch.seconds, epoch.objective))


def test_no_epochs_are_no_special_case():
    assert len(History()) == 0
    assert History()["train_loss"] == []
    assert History().to_frame().empty
    assert History().epochs is not History().epochs
