"""Run a suite: train what is missing, in parallel, and conclude."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.lab.conclusion import is_concluded, write_conclusion
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Suite, check_count, load_suite

if TYPE_CHECKING:
    from mlplab.lab.scheduler import Display


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        folder: the run folder. suite: what was run.
        rows: a row for each trial of each experiment.
        trained: how many trials this run trained.
    """

    folder: RunFolder
    suite: Suite
    rows: tuple[ResultRow, ...]
    trained: int

    @property
    def failed(self) -> list[ResultRow]:
        """The rows whose trial failed."""
        return [row for row in self.rows if row.status == "failed"]


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
    with folder.locked():
        folder.write_suite(suite)
        folder.remove_unfinished()
        rows = folder.rows(suite, fingerprint, folder.read_labels())
        missing = {row.trial.id for row in rows if row.unfinished}
        if missing or not is_concluded(folder, rows):
            rows = _finish(suite, fingerprint, folder, count, display() if display else None)
        folder.write_results(rows, suite.varying())
    return Run(folder, suite, tuple(rows), len(missing))


def _finish(suite: Suite, fingerprint: str, folder: RunFolder, count: int, display: Display | None) -> list[ResultRow]:
    # scikit-learn takes a second to import; to see that a suite is finished, nothing of it is needed
    from mlplab.lab.chosen import open_test_rows
    from mlplab.lab.scheduler import make_labels, train_missing

    dataset = suite.source.load()
    labels = make_labels(suite, fingerprint, dataset)
    rows = folder.rows(suite, fingerprint, labels)
    try:
        if any(row.unfinished for row in rows):
            train_missing(suite, rows, dataset, folder, count, display)
    finally:
        shutil.rmtree(folder.data, ignore_errors=True)
        rows = folder.rows(suite, fingerprint, labels)
        folder.write_results(rows, suite.varying())
    write_conclusion(folder, suite, rows, lambda trial: open_test_rows(folder, trial, dataset))
    return rows


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
