"""Run a suite: train what is missing, in parallel, and conclude."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.engine.cpu import usable_cores
from mlplab.lab.conclusion import is_concluded, write_conclusion
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Suite, check_count, load_suite

if TYPE_CHECKING:
    from mlplab.data import Dataset
    from mlplab.lab.scheduler import Display


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        folder: the run folder. suite: what was run.
        rows: a row for each trial of each experiment.
        trained: how many trials this run trained to their end.
    """

    folder: RunFolder
    suite: Suite
    rows: tuple[ResultRow, ...]
    trained: int

    @property
    def failed(self) -> list[ResultRow]:
        """The rows whose trial failed, or could not even be written."""
        return [row for row in self.rows if row.unfinished]


def run_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    display: Callable[[], Display] | None = None,
) -> Run:
    """Train every trial of a suite that the run folder does not hold yet, and write the conclusion.

    Args:
        suite: a suite, the name of a built-in one, or a TOML file.
        out: the run folder; None is ``runs/`` and the suite's name.
        jobs: worker processes; None is as many as cores.
        display: makes what shows the progress, such as `mlplab.lab.progress.SuiteDisplay`; None shows nothing.

    Raises:
        SettingError, DataError: for a suite or data that cannot be used.
        RunFolderError: for a folder that is in use or holds another suite.
    """
    if not isinstance(suite, Suite):
        suite = load_suite(suite)
    count = check_count("jobs", jobs) if jobs is not None else usable_cores()
    fingerprint = suite.source.fingerprint()
    folder = RunFolder(Path(out) if out is not None else Path("runs") / suite.name)
    rows = folder.rows(suite, fingerprint, folder.read_labels())
    if is_concluded(folder, rows):
        with folder.locked():
            folder.check_suite(suite)
            folder.write_suite(suite)
            folder.write_results(rows, suite.varying())
        return Run(folder, suite, tuple(rows), 0)

    # scikit-learn takes a second to import; to see that a suite is finished, nothing of it is needed
    from mlplab.data import split_rows
    from mlplab.lab.scheduler import Silent, make_labels

    dataset = suite.source.load()
    split_rows(dataset, suite.split, 0, suite.samples)  # what is wrong is noticed before anything is written
    with folder.locked():
        folder.check_suite(suite)
        folder.write_suite(suite)
        folder.remove_unfinished()
        before = folder.rows(suite, fingerprint, make_labels(suite, fingerprint, dataset))
        after = _finish(suite, before, dataset, folder, count, display or Silent)
    trained = {row.trial.id for row in before if row.unfinished} - {row.trial.id for row in after if row.unfinished}
    return Run(folder, suite, tuple(after), len(trained))


def _finish(
    suite: Suite, rows: list[ResultRow], dataset: Dataset, folder: RunFolder, count: int, display: Callable[[], Display]
) -> list[ResultRow]:
    """Train what the rows lack, write the results and the conclusion; return the rows as they are then."""
    from mlplab.lab.chosen import open_test_rows
    from mlplab.lab.scheduler import train_missing

    try:
        if any(row.unfinished for row in rows):
            train_missing(suite, rows, dataset, folder, count, display())
    finally:
        shutil.rmtree(folder.data, ignore_errors=True)
        rows = [replace(row, result=folder.read_result(row.trial.id)) for row in rows]
        folder.write_results(rows, suite.varying())
    write_conclusion(folder, suite, rows, lambda trial: open_test_rows(folder, trial, dataset))
    return rows
