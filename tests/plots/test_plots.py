import re

import numpy as np
import pytest
from matplotlib import image
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mlplab import (
    HistoryDisplay,
    NeuralNetworkClassifier,
    ReliabilityDisplay,
    TopLossesDisplay,
    find_learning_rate,
    load_dataset,
    plot_confusion_matrix,
    plot_learning_curves,
    plot_learning_rates,
)
from mlplab.plots import plots as figures
from mlplab.plots.curves import CurveSet
from mlplab.training.history import Epoch, History


def _histories(count, epochs=5):
    rng = np.random.default_rng(0)
    return [
        History([Epoch(e, *rng.random(4).tolist(), seconds=1.0) for e in range(1, epochs + 1)]) for _ in range(count)
    ]


def test_eight_lines_differ_in_colour_and_each_has_its_legend():
    curves = [CurveSet(f"line {k}", (h,), best=k == 3) for k, h in enumerate(_histories(8))]
    figure = figures.draw_curves(curves)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]
    assert len({line.get_color() for line in lines}) == 8
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [re.sub(r" \(.*", "", text) for text in texts] == [f"line {k}" for k in range(8)]
    assert "best validation accuracy" in texts[3]


def test_no_two_of_24_lines_look_alike():
    looks = [figures._look(CurveSet("", ()), k) for k in range(24)]
    assert len({(look["color"], look["linestyle"]) for look in looks}) == 24


def test_seeds_are_drawn_as_their_mean_in_a_band():
    a, b = _histories(2)
    axes = figures.draw_curves([CurveSet("x", (a, b))]).axes[0]
    mean = (np.array(a["train_loss"]) + b["train_loss"]) / 2
    np.testing.assert_allclose(axes.lines[0].get_ydata(), mean)
    assert len(axes.collections) == 1


def test_a_diverged_network_is_marked_in_curves():
    curves = [CurveSet("a", (_histories(1)[0],), diverged=True), CurveSet("b", (History(),), diverged=True)]
    figure = figures.draw_curves(curves)
    assert all("diverged" in text.get_text() for text in figure.legends[0].get_texts())


def test_the_public_plots_take_fitted_classifiers(tmp_path):
    dataset = load_dataset("digits")
    labels = dataset.y.astype(str)
    model = NeuralNetworkClassifier((8,), max_iter=2, tol=None, random_state=0).fit(
        dataset.X, labels, X_val=dataset.X[:50], y_val=labels[:50]
    )
    figure = plot_learning_curves([model, model], labels=["a", "b"])
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), model.history_["val_loss"])
    axes = plot_confusion_matrix(model, dataset.X, labels, title="All rows")
    assert f"{100 * model.score(dataset.X, labels):.2f} %" in axes.get_title()
    counts = sum(int(text.get_text()) for text in axes.texts)
    assert counts == len(labels)
    given = Figure().subplots()
    assert plot_confusion_matrix(model, dataset.X, labels, ax=given) is given


PLOTS = {
    "learning curves": lambda model, X, y: plot_learning_curves([model]),
    "confusion matrix": plot_confusion_matrix,
    "learning rates": lambda model, X, y: plot_learning_rates(find_learning_rate(model, X, y)),
    "reliability": ReliabilityDisplay.from_estimator,
    "history": lambda model, X, y: HistoryDisplay.from_estimator(model),
    "losses": TopLossesDisplay.from_estimator,
    "images": lambda model, X, y: TopLossesDisplay.from_estimator(model, X, y, image_shape=(2, 2)),
}


@pytest.mark.parametrize("name", PLOTS)
def test_pyplot_saves_what_was_plotted_last(name, classifier, three_classes, tmp_path):
    plotted = PLOTS[name](classifier().fit(*three_classes), *three_classes)
    figure = plotted if isinstance(plotted, Figure) else getattr(plotted, "figure_", None) or plotted.figure
    assert plt.get_fignums() == [figure.number]
    plt.savefig(tmp_path / "saved.png")
    saved = image.imread(tmp_path / "saved.png")
    assert saved[..., :3].min() < saved[..., :3].max()  # an empty figure is white


def test_plots_into_given_axes_open_no_figure(classifier, three_classes):
    model = classifier().fit(*three_classes)
    ax = Figure().subplots()
    plot_confusion_matrix(model, *three_classes, ax=ax)
    ReliabilityDisplay.from_estimator(model, *three_classes, ax=ax)
    assert plt.get_fignums() == []


def test_a_notebook_shows_a_returned_figure_once(classifier, three_classes, monkeypatch):
    # what IPython calls to show a value; after NotImplementedError it shows the figure as a picture
    figure = plot_learning_curves([classifier().fit(*three_classes)])
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert plt.get_fignums() == [1]  # another backend has a window for it
    monkeypatch.setattr("mlplab.plots.pyplot_figure.get_backend", lambda: "inline")
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert plt.get_fignums() == []  # at the end of a cell, the inline backend shows those that are left
