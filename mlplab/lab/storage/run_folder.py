"""The run folder: all files of a suite on disk, each written atomically."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from mlplab.engine.base import Array
from mlplab.errors import RunFolderError, SettingError
from mlplab.lab.spec.suite import Suite, load_suite
from mlplab.lab.spec.trial import TrialResult
from mlplab.lab.storage.integrity import decode_json, describe_files, encode_json, verify_files
from mlplab.lab.storage.predictions import Predictions
from mlplab.lab.storage.results_csv import ResultRow, format_csv, format_results
from mlplab.training.history import COLUMNS, OPTIONAL, Epoch, History
from mlplab.utils.atomic import remove_unfinished, write_folder_whole, write_text_whole

#: Files in a trial's folder.
NETWORK, PREDICTIONS = "model.safetensors", "validation_predictions.npz"
_RESULT_FIELDS = tuple(field.name for field in fields(TrialResult))
#: Seconds to wait for the lock: a process that calls `RunFolder.is_locked` holds it for a moment.
_LOCK_TIMEOUT = 0.5


class RunFolder:
    """A run folder at `path`, which is created when it is first locked or written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suite_file = path / "suite.toml"
        self.results_file = path / "results.csv"
        self.trials = path / "trials"
        self.checkpoints = path / "checkpoints"
        self.search_file = path / "search.json"  # the log of a search
        self.figures = path / "figures"
        self.drawn_file = self.figures / "drawn.txt"  # written last: the hash of the results that the figures show
        self.chosen_file = path / "chosen_predictions.npz"
        self.conclusion_json = path / "conclusion.json"
        self.conclusion_md = path / "conclusion.md"
        self.data = path / ".data"  # the arrays that the workers share during a run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for writing.

        Raises:
            RunFolderError: if another process has locked the folder, or it cannot be written.
        """
        lock = FileLock(self.path / ".lock", timeout=_LOCK_TIMEOUT)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise RunFolderError(f"{self.path} is in use by another mlplab process") from error
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise RunFolderError(f"{self.path} cannot be used as a run folder: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Return whether a process has locked the folder; no file is created."""
        file = self.path / ".lock"
        if not file.is_file():
            return False
        try:
            with FileLock(file, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # the lock cannot be opened, for lack of permission for example
            return False

    def suite(self) -> Suite:
        """Read the suite of the folder.

        Raises:
            RunFolderError: if the folder is not a run folder, or its suite is invalid.
        """
        if not self.suite_file.is_file():
            reason = "it has no suite.toml" if self.path.is_dir() else "there is no such folder"
            raise RunFolderError(f"{self.path} is not a run folder: {reason}")
        try:
            return load_suite(self.suite_file)
        except SettingError as error:
            raise RunFolderError(f"{self.path}: {error}") from error

    def write_suite(self, suite: Suite) -> None:
        """Write `suite.toml`."""
        write_text_whole(self.suite_file, suite.to_toml())

    def remove_unfinished(self) -> None:
        """Delete the half-written files of an interrupted run. The folder must be locked."""
        for folder in (self.path, self.figures, self.trials, self.checkpoints):
            remove_unfinished(folder)
        shutil.rmtree(self.data, ignore_errors=True)

    def trial(self, trial_id: str) -> Path:
        """Return the folder of a trial."""
        return self.trials / trial_id

    def network_file(self, trial_id: str) -> Path:
        """Return the file of a trial's network, which exists if the trial was trained to its end."""
        return self.trial(trial_id) / NETWORK

    def predictions_file(self, trial_id: str) -> Path:
        """Return the file of a trial's predictions for the validation rows; failed and diverged trials have none."""
        return self.trial(trial_id) / PREDICTIONS

    def checkpoint(self, lineage: str) -> Path:
        """Return the checkpoint file of a lineage."""
        return self.checkpoints / f"{lineage}.safetensors"

    def read_result(self, trial_id: str, *, thorough: bool = False) -> TrialResult | None:
        """Return the result of a trial, or None if it is missing, incomplete or damaged.

        Args:
            trial_id: the id of the trial.
            thorough: whether to compare the SHA-256 of every file; otherwise only sizes are compared.
        """
        folder = self.trial(trial_id)
        try:
            content = decode_json((folder / "trial.json").read_bytes())
            # a folder that was copied to the place of another trial is complete, but holds another result
            if content["id"] != trial_id or not verify_files(folder, content["files"], thorough=thorough):
                return None
            # earlier versions wrote fewer fields: missing ones have their defaults
            return TrialResult(**{name: content[name] for name in _RESULT_FIELDS if name in content})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def has_trial(self, trial_id: str) -> bool:
        """Return whether the folder of a trial exists, whatever it contains."""
        return self.trial(trial_id).exists()

    def write_trial(
        self, result: TrialResult, history: History, write_files: Callable[[Path], object] | None = None
    ) -> None:
        """Write a trial's folder atomically: its history, its `trial.json` and the files that `write_files` writes.

        A trial of less than a second is not flushed to disk, which would take too long: after a power failure, the
        sizes in `trial.json` reveal truncated files, and such trials are trained again.
        """

        def fill(folder: Path) -> None:
            if write_files:
                write_files(folder)
            columns = history.columns
            epochs = [[getattr(epoch, column) for column in columns] for epoch in history]
            (folder / "history.csv").write_bytes(format_csv(columns, epochs).encode())
            content = {**vars(result), "files": describe_files(folder)}
            (folder / "trial.json").write_bytes(encode_json(content, indent=1, allow_nan=False).encode())

        write_folder_whole(self.trial(result.id), fill, durable=result.seconds >= 1)

    def read_history(self, trial_id: str) -> History:
        """Return the epochs of a trial; an empty history if the file is missing.

        A metric whose column is missing, as in folders of earlier versions, is NaN.

        Raises:
            RunFolderError: if the file is damaged.
        """
        path = self.trial(trial_id) / "history.csv"
        if not path.is_file():
            return History()
        try:
            with path.open(encoding="utf-8", newline="") as file:
                table = csv.DictReader(file)
                columns = [name for name in COLUMNS if name not in OPTIONAL or name in (table.fieldnames or ())]
                rows = [{name: float(row[name] or "nan") for name in columns} for row in table]
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise RunFolderError(f"{path} is damaged; run the suite again to restore it") from error
        return History([Epoch(**{**row, "epoch": int(row["epoch"])}) for row in rows])  # type: ignore[arg-type]

    def read_arrays(self, path: Path, without: Container[str] = ()) -> dict[str, Array]:
        """Return the arrays of an .npz file, by name.

        Args:
            path: the file.
            without: the names of arrays that are not read.

        Raises:
            RunFolderError: if the file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files if name not in without}
        except Exception as error:  # the type of the error depends on where the archive is damaged
            raise RunFolderError(f"{path} cannot be read: {error}; delete it and run the suite again") from error

    def read_predictions(self, trial_id: str, *, probabilities: bool = True) -> Predictions:
        """Return the stored predictions of a trial's network for the validation rows.

        Args:
            trial_id: the id of the trial.
            probabilities: whether to read them; with 10,000 rows of 10 classes, they take three times as long.

        Raises:
            RunFolderError: if the file is missing or damaged.
        """
        path = self.predictions_file(trial_id)
        arrays = self.read_arrays(path, without=() if probabilities else ("probabilities",))
        try:
            return Predictions(arrays["rows"], arrays["true"], arrays["predicted"], arrays.get("probabilities"))
        except KeyError as error:
            raise RunFolderError(f"{path} has no {error}; delete it and run the suite again") from error

    def write_results(self, rows: Sequence[ResultRow], varying: Sequence[str]) -> None:
        """Write ``results.csv``: a row for every trial of every experiment, including those not trained yet.

        Args:
            rows: the rows.
            varying: the names of the settings that have a column.
        """
        write_text_whole(self.results_file, format_results(rows, varying))

    def drawn_digest(self) -> str:
        """Return the hash of the results that the figures show; empty without figures."""
        try:
            return self.drawn_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""

    def read_labels(self) -> dict[str, str]:
        """Return the labels of the trials in ``results.csv`` by id; an empty dict if it cannot be read."""
        try:
            with self.results_file.open(encoding="utf-8", newline="") as file:
                return {row["trial"]: row["label"] for row in csv.DictReader(file)}
        except (OSError, ValueError, KeyError, csv.Error):
            return {}

    def rows(self, suite: Suite, labels: Mapping[str, str], *, thorough: bool = False) -> list[ResultRow]:
        """Return the rows of a suite's results, read from the folder now.

        Args:
            suite: a bound suite.
            labels: the labels of trials without a result, by id; without a label, the id is used.
            thorough: see `read_result`.
        """
        cells = suite.cells()
        results = {trial.id: self.read_result(trial.id, thorough=thorough) for _, trial in cells}
        return [
            ResultRow(experiment, trial, result.label if result else labels.get(trial.id, trial.id), result)
            for experiment, trial in cells
            for result in [results[trial.id]]
        ]


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as a compressed .npz file."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
