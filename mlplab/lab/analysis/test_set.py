"""Evaluation of the selected networks on all rows: the only place where the test set is used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mlplab.data import Dataset, split_rows
from mlplab.data.labels import encode
from mlplab.engine.base import Array
from mlplab.estimators.model_file import load_classifier
from mlplab.lab.spec.trial import Trial
from mlplab.lab.storage.run_folder import RunFolder, write_arrays
from mlplab.metrics import Metric
from mlplab.utils.atomic import write_whole

PARTS = ("train", "validation", "test")


def evaluate_on_test_set(folder: RunFolder, trials: Sequence[Trial], dataset: Dataset, metric: Metric) -> Array:
    """Evaluate the networks of the selected configuration on the test set, and store their predictions.

    Writes ``chosen_predictions.npz``. For each part of the split, it holds the row numbers, the true class and the
    first network's prediction as class indices, and the probability of the predicted class, (rows,) each. It also
    holds the predictions of all networks for the test set, ``test_predicted_by_seed``, (seeds, rows), and the class
    labels.

    Args:
        folder: the run folder.
        trials: the trials of the configuration, one for each seed.
        dataset: the data set of the suite.
        metric: a mean over rows that is computed from predicted classes.

    Returns:
        The value of the metric in each test row, (seeds, rows).
    """
    split = split_rows(dataset, trials[0].split, samples=trials[0].samples)
    models = [load_classifier(folder.network_file(trial.id)) for trial in trials]
    # the classes of the data, not of the models: a small training set may lack some classes
    classes = dataset.classes
    arrays = {"classes": classes}
    for part in PARTS:
        rows = getattr(split, part)
        arrays |= {
            f"{part}_rows": rows.astype("uint32"),
            f"{part}_true": encode(dataset.y[rows], classes, "the rows"),
            f"{part}_predicted": encode(models[0].predict_rows(dataset.X, rows), classes, "the predictions"),
            f"{part}_probability": models[0].predict_proba_rows(dataset.X, rows).max(axis=1),
        }
    others = [encode(model.predict_rows(dataset.X, split.test), classes, "the predictions") for model in models[1:]]
    arrays["test_predicted_by_seed"] = np.stack([arrays["test_predicted"], *others])
    write_whole(folder.chosen_file, partial(write_arrays, arrays=arrays))
    assert metric.row_values is not None
    assert metric.needs == "labels"
    return np.stack([metric.row_values(arrays["test_true"], one) for one in arrays["test_predicted_by_seed"]])
