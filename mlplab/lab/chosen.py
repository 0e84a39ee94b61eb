"""The chosen network on all rows: the only place where test rows are opened."""

from __future__ import annotations

from functools import partial

from mlplab.atomic import write_whole
from mlplab.data import Dataset, split_rows
from mlplab.data.labels import encode
from mlplab.lab.store import RunFolder, write_arrays
from mlplab.lab.trial import Trial
from mlplab.modelfile import load_classifier

PARTS = ("train", "validation", "test")


def open_test_rows(folder: RunFolder, trial: Trial, dataset: Dataset) -> tuple[int, int]:
    """Let the chosen trial's network predict training, validation and test rows, and keep what it said.

    Writes ``chosen_predictions.npz``: for each part the row numbers, the true and the predicted class as an index,
    and the probability it gave to its prediction; and the class labels.

    Returns:
        How many test rows it got right, and how many there are.
    """
    model = load_classifier(folder.trial(trial.id) / "model.safetensors")
    split = split_rows(dataset, trial.split, samples=trial.samples)
    # the classes of the data, not of the model: with few training rows, it may never have seen some of them
    classes = dataset.classes
    arrays = {"classes": classes}
    for part in PARTS:
        rows = getattr(split, part)
        arrays |= {
            f"{part}_rows": rows.astype("uint32"),
            f"{part}_true": encode(dataset.y[rows], classes, "the rows"),
            f"{part}_predicted": encode(model.predict_rows(dataset.X, rows), classes, "the predictions"),
            f"{part}_probability": model.predict_proba_rows(dataset.X, rows).max(axis=1),
        }
    write_whole(folder.chosen_file, partial(write_arrays, arrays=arrays))
    return int((arrays["test_true"] == arrays["test_predicted"]).sum()), len(split.test)
