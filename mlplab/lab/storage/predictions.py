"""The predictions of a trial's network for the validation rows, and what is computed from them."""

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

if TYPE_CHECKING:  # scikit-learn, which these need, takes a second to import
    from mlplab.data import Dataset
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a network for the validation rows: the arrays of ``validation_predictions.npz``.

    Attributes:
        rows: the numbers of the rows in the data set, (rows,).
        true, predicted: the classes as indices into those of the data set, (rows,) each.
        probabilities: (rows, classes), float32; 0 for a class that the network has not seen. None where an earlier
            version of mlplab wrote the file: `complete_predictions` computes them.
    """

    rows: Array
    true: Array
    predicted: Array
    probabilities: Array | None = None

    def arrays(self) -> dict[str, Array]:
        """Return the arrays that there are, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def value(self, metric: Metric) -> float:
        """Return a metric of all rows; NaN where there is nothing to compute it from."""
        needed = self._needed_by(metric)
        return nan if needed is None else metric.value(self.true, needed)

    def row_values(self, metric: Metric) -> Array:
        """Return each row's value of a metric that is a mean over rows, (rows,).

        Raises:
            RunFolderError: for a metric of probabilities where there are none.
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
    # the classes of the data, not of the model: with few training rows, it may never have seen some of them
    probabilities = np.zeros((len(rows), len(classes)), np.float32)
    probabilities[:, encode(model.classes_, classes, "the model's classes")] = model.predict_proba_rows(dataset.X, rows)
    return Predictions(
        rows.astype(np.uint32),
        encode(dataset.y[rows], classes, "the validation rows"),
        encode(model.predict_rows(dataset.X, rows), classes, "the predictions"),
        probabilities,
    )


def complete_predictions(folder: RunFolder, trial_id: str, dataset: Dataset) -> Predictions | None:
    """Return a trial's predictions, with the probabilities computed from its stored network where the file lacks them.

    Nothing is trained and nothing is written. Folders of earlier versions lack the probabilities; trials that a search
    paused have neither predictions nor a network there, and None is returned.

    Args:
        dataset: the data that the folder was made with.

    Raises:
        RunFolderError: for a damaged file of predictions.
        ModelFileError: for a damaged network.
    """
    if not folder.predictions_file(trial_id).is_file():
        return None
    found, network = folder.read_predictions(trial_id), folder.network_file(trial_id)
    if found.probabilities is not None or not network.is_file():
        return found
    from mlplab.estimators.model_file import load_classifier

    return replace(found, probabilities=predict_rows(load_classifier(network), dataset, found.rows).probabilities)


def complete_result(result: TrialResult, predictions: Predictions | None) -> TrialResult:
    """Return a trial's result with the metrics that it lacks computed from its predictions, where there are any."""
    if predictions is None:
        return result
    names = {field.name for field in fields(result)}
    lacking = [m for m in METRICS.values() if m.column in names and getattr(result, m.column) is None]
    values: dict[str, Any] = {metric.column: predictions.value(metric) for metric in lacking}
    return replace(result, **{column: value for column, value in values.items() if not isnan(value)})
