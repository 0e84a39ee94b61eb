import io
import shutil

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mlplab import load_dataset
from mlplab.lab import open_run
from mlplab.lab.report.figures import draw_figures, draw_overview, draw_search
from mlplab.lab.report.tables import Dot, Slice, Tried
from mlplab.metrics import METRICS


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """The figures of the small suite, drawn twice into a copy of its run folder."""
    dataset = load_dataset("digits")
    run = open_run(shutil.copytree(finished.folder.path, tmp_path_factory.mktemp("drawn") / "out"))
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
    run = open_run(shutil.copytree(finished.folder.path, tmp_path / "out"))
    draw_figures(run, load_dataset("digits"))
    assert plt.get_fignums() == []


def test_the_same_results_give_the_same_files(drawn):
    assert [path.read_bytes() for path in drawn[0]] == drawn[1]


def test_the_svg_shows_what_the_table_shows(drawn, finished):
    by_name = {path.name: path for path in drawn[0]}
    curves = by_name["experiment-2-rate.svg"].read_text()
    for text in ("Learning rate", "Validation accuracy", "16, lr 0.05", "best validation accuracy", "Epoch"):
        assert text in curves
    overview = by_name["all-trials.svg"].read_text()
    for row in finished.rows:
        assert f"{100 * row.result.val_accuracy:.2f} %" in overview


def test_figures_of_older_runs_are_removed(finished, drawn):
    stale = drawn[2].folder.figures / "experiment-9-gone.png"
    stale.write_bytes(b"")
    draw_figures(drawn[2], load_dataset("digits"))
    assert not stale.exists()


def test_a_diverged_network_is_marked_in_the_overview():
    dots = [Dot("e", "a", (0.5,), (0.4, 0.6), False), Dot("e", "b", (), None, True)]
    overview = draw_overview(dots, metric=METRICS["accuracy"])
    assert any("diverged" in text.get_text() for text in overview.axes[0].texts)
    assert overview.axes[0].get_xlabel().startswith("Validation accuracy")


def test_other_metrics_are_drawn_in_their_own_units():
    overview = draw_overview([Dot("e", "a", (0.5,), None, False)], metric=METRICS["brier"])
    assert overview.axes[0].get_xlabel() == "Validation brier"
    assert [text.get_text() for text in overview.axes[0].texts] == ["0.5000"]
    tried = Tried((Slice("alpha", np.array([0.1, 0.2])),), np.array([0.5, 0.2]), np.array([1, 3]))
    assert draw_search(tried, metric=METRICS["brier"]).axes[0].get_ylabel() == "Validation brier"
    assert draw_search(tried, metric=METRICS["accuracy"]).axes[0].get_ylabel() == "Validation error"


def test_the_longest_names_leave_room_for_the_dots():
    name = ", ".join(f"a setting of some length {k}" for k in range(8))
    dots = [Dot("e", f"{name} {k}", (0.5,), None, False) for k in range(3)]
    figure = draw_overview(dots, metric=METRICS["accuracy"])
    figure.savefig(io.BytesIO())  # warns, which is an error here, where axes have no room
    assert figure.axes[0].get_position().width > 0.3
    shown = [" ".join(text.get_text().split()) for text in figure.axes[0].get_yticklabels()]
    assert shown == [dot.name for dot in dots]
