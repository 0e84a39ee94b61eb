import io
from math import nan
from types import SimpleNamespace

import pytest
from rich.console import Console

from mlplab.training.history import Epoch
from mlplab.training.progress import FitDisplay, describe

PLAIN = Epoch(1, 0.5, 0.75, seconds=2.0, objective=0.625)
VALIDATED = Epoch(3, 0.25, 0.875, 0.5, 0.8, seconds=0.5, objective=0.25)
BRIER = Epoch(3, 0.25, 0.875, 0.5, 0.8, seconds=0.5, objective=0.25, val_brier=0.3)
VALUES = Epoch(3, 0.25, nan, 0.5, nan, seconds=0.5, objective=0.25)
ERRORS = Epoch(3, 0.25, nan, 0.5, nan, seconds=0.5, objective=0.25, val_mse=1.0)
ESTIMATOR = SimpleNamespace(max_iter=4, n_training_rows_=3000)


def show(epochs, **console):
    output = io.StringIO()
    display = FitDisplay(Console(file=output, **console))
    display.on_fit_begin(ESTIMATOR)
    for epoch in epochs:
        display.on_epoch_end(ESTIMATOR, epoch)
    display.on_fit_end(ESTIMATOR)
    return output.getvalue()


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (PLAIN, "loss 0.5000  accuracy 75.00 %  1,500 rows/s"),
        (VALIDATED, "loss 0.2500  accuracy 87.50 %  validation 0.5000 80.00 %  6,000 rows/s"),
        (BRIER, "loss 0.2500  accuracy 87.50 %  validation 0.5000 80.00 %  6,000 rows/s"),
        (VALUES, "loss 0.2500  validation 0.5000  6,000 rows/s"),
        (ERRORS, "loss 0.2500  validation 0.5000 mse 1.0000  6,000 rows/s"),
    ],
)
def test_an_epoch_is_described_in_one_line(epoch, text):
    assert describe(epoch, 3000) == text


def test_without_a_terminal_every_epoch_is_one_plain_line():
    printed = show([PLAIN, VALIDATED], width=20)
    assert printed.splitlines() == [
        "Iteration 1, loss = 0.62500000  accuracy 75.00 %  1,500 rows/s  6 s left",
        "Iteration 3, loss = 0.25000000  accuracy 87.50 %  validation 0.5000 80.00 %  6,000 rows/s  0 s left",
    ]


def test_on_a_terminal_a_bar_shows_the_epoch_and_its_loss():
    printed = show([PLAIN, VALIDATED], force_terminal=True, width=140)
    assert "epoch 3/4" in printed
    assert describe(VALIDATED, 3000) in printed


def test_the_end_without_a_beginning_is_no_error():
    FitDisplay(Console(file=io.StringIO())).on_fit_end(ESTIMATOR)
