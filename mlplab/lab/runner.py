"""Run a suite: train what is missing, in parallel, and conclude."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.engine.cpu import usable_cores
from mlplab.lab.conclusion import is_concluded, write_conclusion
from mlplab.lab.seals import broken, seal, unseal
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
    checkpoint_seconds: float = 10.0,
) -> Run:
    """Train every trial of a suite that the run folder does not hold yet, and write the conclusion.

    Args:
        suite: a suite, the name of a built-in one, or a TOML file.
        out: the run folder; None is ``runs/`` and the suite's name.
        jobs: worker processes; None is as many as cores.
        checkpoint_seconds: how often each training writes its state, from which it goes on when the run is interrupted
            and started again.
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
    rows = folder.rows(suite, fingerprint, folder.read_labels(), thorough=True)
    damaged = broken(folder)
    if is_concluded(folder, rows) and not damaged:
        with folder.locked():
            folder.check_suite(suite)
            unseal(folder)
            folder.write_suite(suite)
            folder.write_results(rows, suite.varying())
            seal(folder)
        return Run(folder, suite, tuple(rows), 0)

    # scikit-learn takes a second to import; to see that a suite is finished, nothing of it is needed
    from mlplab.data import split_rows
    from mlplab.lab.scheduler import Silent, make_labels, train_missing

    shown = (display or Silent)()
    dataset = suite.source.load()
    split_rows(dataset, suite.split, 0, suite.samples)  # what is wrong is noticed before anything is written
    with folder.locked():
        if folder.suite_file.name not in damaged:
            folder.check_suite(suite)
        _remove(folder, damaged, shown)
        if caution := dataset.caution():
            shown.note(caution)
        unseal(folder)
        folder.write_suite(suite)
        folder.remove_unfinished()
        before = folder.rows(suite, fingerprint, make_labels(suite, fingerprint, dataset), thorough=True)
        train = partial(train_missing, folder=folder, count=count, display=shown, checkpoint_seconds=checkpoint_seconds)
        after = _finish(suite, before, dataset, folder, train)
        seal(folder)
    trained = {row.trial.id for row in before if row.unfinished} - {row.trial.id for row in after if row.unfinished}
    return Run(folder, suite, tuple(after), len(trained))


def _remove(folder: RunFolder, damaged: list[str], display: Display) -> None:
    """Remove files that are not as they were written, and say so: all of them follow from the trials.

    Only what the conclusion remembered of earlier openings of the test rows does not.
    """
    for name in damaged:
        display.note(f"{folder.path / name} is not as it was written: it is made again")
        (folder.path / name).unlink(missing_ok=True)
    if any(name.startswith(folder.figures.name) for name in damaged):
        folder.drawn_file.unlink(missing_ok=True)  # then all of them are drawn again
    if folder.conclusion_json.name in damaged:
        display.note("what it remembered of test rows that were opened for other networks is lost")


def _finish(
    suite: Suite, rows: list[ResultRow], dataset: Dataset, folder: RunFolder, train: Callable[..., None]
) -> list[ResultRow]:
    """Train what the rows lack, write the results and the conclusion; return the rows as they are then."""
    from mlplab.lab.chosen import open_test_rows

    try:
        if any(row.unfinished for row in rows):
            train(suite, rows, dataset)
    finally:
        shutil.rmtree(folder.data, ignore_errors=True)
        rows = [replace(row, result=folder.read_result(row.trial.id)) for row in rows]
        folder.write_results(rows, suite.varying())
    write_conclusion(folder, suite, rows, lambda trial: open_test_rows(folder, trial, dataset))
    return rows
