import re
import shutil
from dataclasses import replace

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
from mlplab.lab.report.figures import draw_figures, draw_overview
from mlplab.lab.report.tables import Dot
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import METRICS
from mlplab.plots import plots as figures
from mlplab.plots.curves import CurveSet
from mlplab.training.history import Epoch, History


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """The figures of the small suite, drawn twice into a copy of its run folder."""
    dataset = load_dataset("digits")
    copied = shutil.copytree(finished.folder.path, tmp_path_factory.mktemp("drawn") / "out")
    run = replace(finished, folder=RunFolder(copied))
    first = draw_figures(run, dataset)
    contents = [path.read_bytes() for path in first]
    assert draw_figures(run, dataset) == first
    return first, contents, run


def test_every_figure_is_drawn_as_png_and_svg(drawn):
    names = [
        "samples",
        "experiment-1-width",
        "experiment-2-rate",
        "all-trials",
        "confusion-matrices",
        "confident-errors",
    ]
    assert [path.name for path in drawn[0]] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]


def test_figures_of_a_run_folder_are_unknown_to_pyplot(finished, tmp_path):
    run = replace(finished, folder=RunFolder(shutil.copytree(finished.folder.path, tmp_path / "out")))
    draw_figures(run, load_dataset("digits"))
    assert plt.get_fignums() == []


def test_the_same_results_give_the_same_files(drawn):
    assert [path.read_bytes() for path in drawn[0]] == drawn[1]


def test_the_svg_says_what_the_table_says(drawn, finished):
    by_name = {path.name: path for path in drawn[0]}
    curves = by_name["experiment-2-rate.svg"].read_text()
    for text in ("Learning rate", "Validation accuracy", "16, lr 0.05", "best validation accuracy", "Epoch"):
        assert text in curves
    overview = by_name["all-trials.svg"].read_text()
    for row in finished.rows:
        assert f"{100 * row.result.val_accuracy:.2f} %" in overview


def test_figures_of_older_runs_are_removed(drawn):
    stale = drawn[2].folder.figures / "experiment-9-gone.png"
    stale.write_bytes(b"")
    draw_figures(drawn[2], load_dataset("digits"))
    assert not stale.exists()


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


def test_a_diverged_network_is_marked_in_curves_and_overview():
    curves = [CurveSet("a", (_histories(1)[0],), diverged=True), CurveSet("b", (History(),), diverged=True)]
    figure = figures.draw_curves(curves)
    assert all("diverged" in text.get_text() for text in figure.legends[0].get_texts())
    dots = [Dot("e", "a", (0.5,), (0.4, 0.6), False), Dot("e", "b", (), None, True)]
    overview = draw_overview(dots, metric=METRICS["accuracy"])
    assert any("diverged" in text.get_text() for text in overview.axes[0].texts)


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
