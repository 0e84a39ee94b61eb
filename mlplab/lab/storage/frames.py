"""The results in a run folder as data frames."""

from __future__ import annotations

import io
from math import nan
from pathlib import Path

import pandas

from mlplab.errors import RunFolderError
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import MEASURES, OPTIONAL, format_results
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import History


def load_results(path: str | Path) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Return the trials and the epochs of a run folder.

    Args:
        path: the run folder.

    Returns:
        A frame with a row for each trial of each experiment, as in ``results.csv``: experiment, trial, label, seed,
        status, the settings that vary, and the measures; and a frame with a row for each epoch of each trial: trial,
        label, seed, epoch, train_loss, train_accuracy, val_loss, val_accuracy, seconds, val_brier. The column "trial"
        joins the two. A metric that an earlier version did not store is NaN in the first frame; it is not a column of
        the second one if no epoch has it.

    Raises:
        RunFolderError: if the folder is not a run folder, has no results or is damaged.
    """
    folder = RunFolder(Path(path))
    folder.suite()  # raises if there is no suite
    trials = _read_trials(folder)
    return trials, read_epochs(folder, trials)


def trials_of(results: Results) -> pandas.DataFrame:
    """Return a frame with a row for each trial of each experiment, as in ``results.csv``."""
    return _parse(io.StringIO(format_results(results.rows, results.suite.varying())))


def read_epochs(folder: RunFolder, trials: pandas.DataFrame) -> pandas.DataFrame:
    """Return a frame with a row for each epoch of each of the trials.

    Raises:
        RunFolderError: if a history is damaged.
    """
    unique = trials.drop_duplicates("trial")
    histories = [
        folder.read_history(trial).to_frame().assign(trial=trial, label=label, seed=seed)
        for trial, label, seed in zip(unique["trial"], unique["label"], unique["seed"], strict=True)
    ]
    epochs = pandas.concat(histories or [History().to_frame().assign(trial="", label="", seed=0)], ignore_index=True)
    return epochs[["trial", "label", "seed", *(name for name in epochs if name not in ("trial", "label", "seed"))]]


def _read_trials(folder: RunFolder) -> pandas.DataFrame:
    file = folder.results_file
    try:
        trials = _parse(file)
    except FileNotFoundError as error:
        raise RunFolderError(f"{folder.path} has no results yet; run the suite first") from error
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{file} cannot be read ({error}); run the suite again to restore it") from error
    if missing := sorted({*_TEXTS, *MEASURES, "seed", "status"} - {*trials, *OPTIONAL}):
        raise RunFolderError(f"{file} has no column {missing[0]!r}; run the suite again to restore it")
    return trials.assign(**{name: nan for name in OPTIONAL if name not in trials})


def _parse(file: Path | io.StringIO) -> pandas.DataFrame:
    frame: pandas.DataFrame = pandas.read_csv(
        file, keep_default_na=False, na_values={name: [""] for name in MEASURES}, dtype=dict.fromkeys(_TEXTS, str)
    )
    return frame


#: Columns that hold text, although an id such as 12e456789012 looks like a number.
_TEXTS = ("experiment", "trial", "label")
