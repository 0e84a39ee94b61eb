import numpy as np
import pytest
from matplotlib.figure import Figure

from mlplab import HistoryDisplay, NeuralNetworkRegressor, ReliabilityDisplay, TopLossesDisplay, evaluate
from mlplab.errors import SettingError
from mlplab.training.history import History


@pytest.fixture
def model(classifier, three_classes):
    return classifier().fit(*three_classes, X_val=three_classes[0], y_val=three_classes[1])


def test_reliability_shows_the_bins(model, three_classes):
    display = ReliabilityDisplay.from_estimator(model, *three_classes, bins=7, title="mine")
    calibration = evaluate(model, *three_classes).calibration(7)
    filled = calibration.rows > 0
    dots = np.asarray(display.ax_.collections[-1].get_offsets())
    np.testing.assert_allclose(dots, np.stack([calibration.confidence, calibration.accuracy], axis=1)[filled])
    assert "mine" in display.ax_.get_title()
    assert f"{100 * calibration.error:.2f} %" in display.ax_.get_title()


def test_reliability_of_probabilities_is_that_of_the_estimator(model, three_classes):
    X, y = three_classes
    from_predictions = ReliabilityDisplay.from_predictions(y, model.predict_proba(X))
    from_estimator = ReliabilityDisplay.from_estimator(model, X, y)
    np.testing.assert_array_equal(from_predictions.calibration.rows, from_estimator.calibration.rows)
    assert from_predictions.calibration.error == from_estimator.calibration.error


def test_it_draws_into_axes_that_are_given(model, three_classes):
    ax = Figure().subplots()
    display = ReliabilityDisplay.from_estimator(model, *three_classes, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.plot().ax_ is not ax


def test_the_history_is_drawn_as_it_was(model):
    display = HistoryDisplay.from_estimator(model, title="mine")
    lines = [line.get_ydata() for ax in display.axes_ for line in ax.lines]
    columns = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    for line, column in zip(lines, columns, strict=True):
        np.testing.assert_array_equal(line, model.history_[column])
    assert display.figure_.get_suptitle() == "mine"


def test_what_a_history_lacks_is_not_drawn(three_classes, refuses):
    X = three_classes[0]
    regressor = NeuralNetworkRegressor(max_iter=2, tol=None).fit(X, X[:, 0])
    display = HistoryDisplay.from_estimator(regressor)
    assert [ax.get_title() for ax in display.axes_] == ["Loss"]
    assert len(display.axes_[0].lines) == 1
    with refuses(SettingError, "no epoch"):
        HistoryDisplay(History()).plot()


def test_the_top_losses_are_drawn_as_bars_or_as_images(model, three_classes, refuses):
    X, y = three_classes
    worst = evaluate(model, X, y).top_losses(4)
    bars = TopLossesDisplay.from_estimator(model, X, y, count=4).figure_.axes[0]
    assert [bar.get_width() for bar in bars.patches] == [one.loss for one in worst]
    assert [f"row {one.row}:" in text.get_text() for one, text in zip(worst, bars.get_yticklabels(), strict=True)]
    images = TopLossesDisplay.from_estimator(model, X, y, count=4, image_shape=(2, 2), title="mine").figure_
    drawn = [image.get_array() for image in images.axes[0].images]
    np.testing.assert_array_equal(drawn, X[[one.row for one in worst]].reshape(-1, 2, 2))
    captions = [text.get_text().splitlines()[0] for text in images.axes[0].texts]
    assert captions == [f"true {one.truth}, predicted {one.prediction}" for one in worst]
    with refuses(SettingError, "image_shape=(3, 3)"):
        TopLossesDisplay.from_estimator(model, X, y, image_shape=(3, 3))
