from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlplab.lab import compare_results
from mlplab.lab.analysis.conclusion import read_conclusion
from mlplab.lab.report import tables
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import METRICS
from mlplab.plots.curves import CurveSet
from mlplab.training.history import Epoch, History
from tests.small_suite import result_of


def test_curves_of_seeds_that_ended_early_are_filled_up():
    short, long = (History([Epoch(k, 0.5, 0.5) for k in range(1, n + 1)]) for n in (1, 3))
    curve = CurveSet("x", (short, long)).curve("train_loss")
    np.testing.assert_array_equal(curve, [[0.5, np.nan, np.nan], [0.5, 0.5, 0.5]])


def test_a_network_that_diverged_at_once_has_an_empty_curve():
    assert CurveSet("x", (History(),), diverged=True).curve("val_loss").shape == (1, 0)


def test_each_configuration_has_a_curve_and_the_best_is_marked(finished):
    curves = tables.experiment_curves(finished, finished.suite.experiments[1])
    assert [c.name for c in curves] == ["16, lr 0.05", "4, lr 0.05", "16, lr 0.01", "4, lr 0.01"]
    last = [c.curve("val_accuracy")[0, -1] for c in curves]
    assert [c.best for c in curves] == [accuracy == max(last) for accuracy in last]


def test_figures_and_comparisons_name_configurations_alike(finished):
    compared = compare_results(finished.folder.path, experiment="rate").names
    curves = tables.experiment_curves(finished, finished.suite.experiments[1])
    dots = tables.overview(finished.rows, METRICS["accuracy"], read_conclusion(finished.folder))
    assert {curve.name for curve in curves} == set(compared)
    assert {dot.name for dot in dots if dot.experiment == "Learning rate"} == set(compared)


@pytest.mark.parametrize("diverged", [False, True])
def test_only_the_best_of_too_many_configurations_are_drawn(suite, diverged):
    rates = tuple(k / 1000 for k in range(1, 101))
    many = replace(suite.experiments[1], grid={"learning_rate_init": rates})
    cells = replace(suite, experiments=(suite.experiments[0], many), seeds=2).cells()
    accuracies = np.random.default_rng(0).permutation(len(cells)) / len(cells)
    status = "diverged" if diverged else "done"
    rows = [
        ResultRow(experiment, trial, "", result_of(trial, val_accuracy=accuracy, status=status))
        for (experiment, trial), accuracy in zip(cells, accuracies.tolist(), strict=True)
    ]
    drawn = [
        dot.name
        for dot in tables.overview(rows, METRICS["accuracy"], None)
        if dot.experiment == "Learning rate (the best 32 of 100)"
    ]
    means = accuracies[4:].reshape(100, 2).mean(axis=1)
    best = range(32) if diverged else sorted(np.argsort(-means, kind="stable")[:32])
    assert drawn == [f"lr {rates[k]:g}" for k in best]
    assert len(tables.overview(rows, METRICS["accuracy"], None)) == 2 + 32
    assert [
        c.name for c in tables.experiment_curves(Results(RunFolder(Path("none")), suite, tuple(rows)), many)
    ] == drawn
    assert tables.heading(suite.experiments[0], rows) == "Width"


def test_the_overview_has_a_dot_for_every_row(finished):
    dots = tables.overview(finished.rows, METRICS["accuracy"], read_conclusion(finished.folder))
    assert [dot.values[0] for dot in dots] == [row.result.val_accuracy for row in finished.rows]
    assert all(dot.interval[0] < dot.values[0] < dot.interval[1] for dot in dots)


def test_the_heading_of_curves_explains_their_bands(suite):
    cells = replace(suite, seeds=3).cells()
    rows = [ResultRow(experiment, trial, "", result_of(trial)) for experiment, trial in cells]
    assert tables.curves_heading(suite.experiments[0], rows) == (
        "Width\nmeans of 3 seeds, in bands from the lowest to the highest"
    )


def test_most_confident_errors_are_sorted_by_falling_confidence():
    true, predicted = np.array([0, 1, 1, 0]), np.array([1, 1, 0, 1])
    said = tables.PartPredictions(np.arange(4), true, predicted, np.array([0.6, 0.99, 0.9, 0.7]))
    assert said.most_confident_errors(2).tolist() == [2, 3]


def test_the_chosen_network_has_predictions_for_all_rows(finished):
    parts = tables.chosen_predictions(finished.folder).parts.values()
    assert sorted(np.concatenate([p.rows for p in parts])) == list(range(1797))
