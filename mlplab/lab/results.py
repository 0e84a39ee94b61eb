"""What a run folder holds as data frames, for whatever else is to be done with it."""

from __future__ import annotations

from pathlib import Path

import pandas

from mlplab.lab.store import RunFolder


def load_results(path: str | Path) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Return the trials and the epochs of a run folder.

    Returns:
        A frame with a row for each trial of each experiment, as in ``results.csv``: experiment, trial, label, seed,
        status, the settings that vary, and the measures; and one with a row for each epoch of each trial: trial, label,
        seed, epoch, train_loss, train_accuracy, val_loss, val_accuracy, seconds. "trial" joins the two.

    Raises:
        RunFolderError: for a folder that is no run folder, or damaged.
    """
    folder = RunFolder(Path(path))
    folder.suite()  # which says so where it is none
    trials = pandas.read_csv(
        folder.results_file,
        keep_default_na=False,
        na_values={name: [""] for name in _NUMBERS},
        dtype=dict.fromkeys(_TEXTS, str),
    )
    ended = trials.drop_duplicates("trial")
    histories = [
        folder.read_history(trial).to_frame().assign(trial=trial, label=label, seed=seed)
        for trial, label, seed in zip(ended["trial"], ended["label"], ended["seed"], strict=True)
    ]
    epochs = pandas.concat(histories, ignore_index=True)
    return trials, epochs[
        ["trial", "label", "seed", *(name for name in epochs if name not in ("trial", "label", "seed"))]
    ]


#: Columns that are texts, though an id such as 12e456789012 looks like a number.
_TEXTS = ("experiment", "trial", "label")
#: Columns whose empty cells are missing numbers; in the settings, "none" is a value.
_NUMBERS = ("epochs", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds", "parameters")
