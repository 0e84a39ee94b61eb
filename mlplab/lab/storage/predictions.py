"""The predictions of a trial's network for the validation rows, and the metrics computed from them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from mlplab.data.labels import encode
from mlplab.engine.base import Array
from mlplab.errors import RunFolderError
from mlplab.lab.spec.trial import TrialResult
from mlplab.metrics import METRICS, Metric

if TYPE_CHECKING:  # these import scikit-learn, which takes a second
    from mlplab.data import Dataset
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a network for the validation rows: the arrays of ``validation_predictions.npz``.

    Attributes:
        rows: the numbers of the rows in the data set, (rows,).
        true, predicted: the true and the predicted class of each row, as indices into the classes of the data set,
            (rows,) each.
        probabilities: the predicted probabilities, (rows, classes), float32; 0 for a class that the training rows
            lack. None if an earlier version of mlplab wrote the file; `complete_predictions` computes them.
    """

    rows: Array
    true: Array
    predicted: Array
    probabilities: Array | None = None

    def arrays(self) -> dict[str, Array]:
        """Return the arrays that are not None, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def value(self, metric: Metric) -> float:
        """Return the value of a metric over all rows; NaN if the array that it needs is missing."""
        needed = self._needed_by(metric)
        return nan if needed is None else metric.value(self.true, needed)

    def row_values(self, metric: Metric) -> Array:
        """Return each row's value of a metric that is a mean over rows, (rows,).

        Raises:
            RunFolderError: if the metric needs probabilities and they are missing.
        """
        needed = self._needed_by(metric)
        if needed is None:
            raise RunFolderError(f"the stored predictions lack the {metric.needs} that {metric.name} is computed from")
        assert metric.row_values
        return metric.row_values(self.true, needed)

    def _needed_by(self, metric: Metric) -> Array | None:
        return {"labels": self.predicted, "probabilities": self.probabilities}.get(metric.needs)


def predict_rows(model: NeuralNetworkClassifier, dataset: Dataset, rows: Array) -> Predictions:
    """Return the predictions of a network for some rows of a data set, given by their numbers, (rows,)."""
    classes = dataset.classes
    # the classes of the data, not of the model: a small training set may lack some classes
    probabilities = np.zeros((len(rows), len(classes)), np.float32)
    probabilities[:, encode(model.classes_, classes, "the model's classes")] = model.predict_proba_rows(dataset.X, rows)
    return Predictions(
        rows.astype(np.uint32),
        encode(dataset.y[rows], classes, "the validation rows"),
        encode(model.predict_rows(dataset.X, rows), classes, "the predictions"),
        probabilities,
    )


def complete_predictions(folder: RunFolder, trial_id: str, dataset: Dataset) -> Predictions | None:
    """Return a trial's predictions, with probabilities from its stored network if the file lacks them.

    Nothing is trained or written. Run folders of earlier versions have no probabilities, and no predictions or network
    of a trial that a search paused. None is returned for a trial without predictions.

    Args:
        folder: the run folder.
        trial_id: the id of the trial.
        dataset: the data set on which the trial was trained.

    Raises:
        RunFolderError: if the file of the predictions is damaged.
        ModelFileError: if the file of the network is damaged.
    """
    if not folder.predictions_file(trial_id).is_file():
        return None
    stored, network = folder.read_predictions(trial_id), folder.network_file(trial_id)
    if stored.probabilities is not None or not network.is_file():
        return stored
    from mlplab.estimators.model_file import load_classifier

    return replace(stored, probabilities=predict_rows(load_classifier(network), dataset, stored.rows).probabilities)


def complete_result(result: TrialResult, predictions: Predictions | None) -> TrialResult:
    """Return a trial's result with its missing metrics computed from its predictions, if there are any."""
    if predictions is None:
        return result
    names = {field.name for field in fields(result)}
    missing = [m for m in METRICS.values() if m.column in names and getattr(result, m.column) is None]
    values: dict[str, Any] = {metric.column: predictions.value(metric) for metric in missing}
    return replace(result, **{column: value for column, value in values.items() if not isnan(value)})
