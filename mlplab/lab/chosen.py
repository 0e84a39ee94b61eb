"""The chosen network on all rows: the only place where test rows are opened."""

from __future__ import annotations

from mlplab.data import Dataset, split_rows
from mlplab.lab.job import class_codes
from mlplab.lab.store import RunFolder
from mlplab.lab.trial import Trial
from mlplab.modelfile import load_model

PARTS = ("train", "validation", "test")


def open_test_rows(folder: RunFolder, trial: Trial, dataset: Dataset) -> tuple[int, int]:
    """Let the chosen trial's network predict training, validation and test rows, and keep what it said.

    Writes ``chosen_predictions.npz``: for each part the row numbers, the true and the predicted class as an index,
    and the probability it gave to its prediction; and the class labels.

    Returns:
        How many test rows it got right, and how many there are.
    """
    model = load_model(folder.trial(trial.id) / "model.safetensors")
    split = split_rows(dataset, trial.split, trial.seed, trial.samples)
    arrays = {"classes": model.classes_}
    for part in PARTS:
        rows = getattr(split, part)
        probabilities = model.predict_proba(dataset.X[rows])
        arrays |= {
            f"{part}_rows": rows.astype("uint32"),
            f"{part}_true": class_codes(model, dataset.y[rows]),
            f"{part}_predicted": class_codes(model, model.classes_[probabilities.argmax(axis=1)]),
            f"{part}_probability": probabilities.max(axis=1),
        }
    folder.write_arrays(folder.chosen_file, arrays)
    return int((arrays["test_true"] == arrays["test_predicted"]).sum()), len(split.test)
