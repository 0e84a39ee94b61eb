"""Run a suite: train what is missing, in parallel, and conclude."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.engine.cpu import usable_cores
from mlplab.errors import SettingError
from mlplab.lab.analysis.conclusion import is_concluded, write_conclusion
from mlplab.lab.execution.process_pool import ProcessPool
from mlplab.lab.monitoring.observer import NullObserver
from mlplab.lab.recovery import recover_folder
from mlplab.lab.search.log import expand_search
from mlplab.lab.spec.suite import Suite, load_suite
from mlplab.lab.storage.integrity import remove_manifest, write_manifest
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.settings import check_count

if TYPE_CHECKING:
    from mlplab.data import Dataset
    from mlplab.lab.execution.executor import Executor
    from mlplab.lab.monitoring.observer import RunObserver
    from mlplab.training.tasks import Task


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
        return [row for row in self.rows if row.unfinished or row.failed]


def run_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    display: Callable[[], RunObserver] | None = None,
    checkpoint_seconds: float = 10.0,
    scheduler: str | None = None,
    then: Callable[[Run], object] | None = None,
) -> Run:
    """Train every trial of a suite that the run folder does not hold yet, and write the conclusion.

    Args:
        suite: a suite, the name of a built-in one, or a TOML file.
        out: the run folder; None is ``runs/`` and the suite's name.
        jobs: worker processes; None is as many as cores.
        checkpoint_seconds: how often each training writes its state, from which it goes on when the run is interrupted
            and started again.
        scheduler: the address of a Dask scheduler, or its file, whose workers train; None trains on this machine.
        display: makes what shows the progress, such as `monitoring.terminal.SuiteDisplay`; None shows nothing.
        then: called with the run while the folder is still held for writing: draws its figures, say.

    Raises:
        SettingError, DataError: for a suite, data or a scheduler that cannot be used.
        MissingExtraError: for a search without Optuna, or a scheduler without Dask.
        RunFolderError: for a folder that is in use or holds another suite.
    """
    if not isinstance(suite, Suite):
        suite = load_suite(suite)
    count = check_count("jobs", jobs) if jobs is not None else usable_cores()
    suite = suite.bind(suite.source.fingerprint())
    folder = RunFolder(Path(out) if out is not None else Path("runs") / suite.name)
    load = cache(partial(_load, suite))
    if not folder.suite_file.is_file():
        load()  # what is wrong is noticed before anything is written
    shown = (display or NullObserver)()
    with folder.locked():
        recover_folder(folder, suite, shown)
        suite = expand_search(suite, folder)
        rows = folder.rows(suite, folder.read_labels(), thorough=True)
        # scikit-learn takes a second to import; to see that a suite is finished, nothing of it is needed
        if is_concluded(folder, rows):
            remove_manifest(folder)
            folder.write_suite(suite)
            folder.write_results(rows, suite.varying())
            outcome = Run(folder, suite, tuple(rows), 0)
        else:
            with _make_executor(folder, count, scheduler, checkpoint_seconds, shown) as executor:
                executor.start(executor.slots if suite.search else sum(row.unfinished for row in rows))
                dataset = load()
                executor.bind(dataset)
                remove_manifest(folder)
                folder.write_suite(suite)
                suite, rows, trained = _train(suite, rows, dataset, folder, shown, executor)
            _conclude(folder, suite, rows, dataset)
            outcome = Run(folder, suite, tuple(rows), trained)
        write_manifest(folder)
        if then:
            then(outcome)
    return outcome


def _load(suite: Suite) -> Dataset:
    """Load the suite's data, and see that they can be divided as it says, and its networks be built."""
    from mlplab.data import split_rows
    from mlplab.training.tasks import classify

    dataset = suite.source.load()
    split_rows(dataset, suite.split, 0, suite.samples)
    _check_networks(suite, classify(len(dataset.classes)))
    return dataset


def _check_networks(suite: Suite, task: Task) -> None:
    """Raise SettingError for a configuration that could not be built: one is enough, whatever its seeds."""
    from mlplab.lab.spec.space import examples
    from mlplab.training.build import check_parts
    from mlplab.training.settings import Settings

    for experiment in suite.experiments:
        for settings in experiment.cells():
            try:
                check_parts(Settings(**{**suite.settings, **settings}), task)
            except SettingError as error:
                raise SettingError(f"experiment {experiment.name!r}: {error}") from error
    for settings in examples(suite.search.space) if suite.search else ():
        try:
            check_parts(Settings(**{**suite.settings, **settings}), task)
        except SettingError as error:
            raise SettingError(f"search: {error}") from error


def _make_executor(
    folder: RunFolder, jobs: int, scheduler: str | None, checkpoint_seconds: float, observer: RunObserver
) -> Executor:
    """Return what trains: so many processes of this machine, or the workers of a scheduler."""
    if scheduler is None:
        return ProcessPool(folder, jobs, checkpoint_seconds)
    from mlplab.lab.execution.dask_cluster import DaskCluster

    return DaskCluster(scheduler, folder, checkpoint_seconds, observer.note)


def _train(
    suite: Suite,
    rows: Sequence[ResultRow],
    dataset: Dataset,
    folder: RunFolder,
    observer: RunObserver,
    executor: Executor,
) -> tuple[Suite, list[ResultRow], int]:
    """Train what is missing of the rows, which are as the folder holds them now, and write the results.

    Returns:
        The suite, with the experiments of its search, its rows, and how many trainings were made.
    """
    from mlplab.lab.execution.dispatch import TrainingContext, train_missing

    for caution in dataset.cautions():
        observer.note(caution)
    context, trained = TrainingContext(suite, dataset, folder, executor, observer), 0
    if suite.search:
        from mlplab.lab.search.driver import run_search

        suite, trained = run_search(context)
        rows = folder.rows(suite, {}, thorough=True)
    labels = suite.labels(dataset)
    rows = [row if row.result else replace(row, label=labels[row.trial.id]) for row in rows]
    missing = {row.trial.id for row in rows if row.unfinished}
    try:
        if missing:
            train_missing(replace(context, suite=suite), rows)
    finally:
        rows = [replace(row, result=folder.read_result(row.trial.id)) for row in rows]
        folder.write_results(rows, suite.varying())
    return suite, rows, trained + len(missing - {row.trial.id for row in rows if row.unfinished})


def _conclude(folder: RunFolder, suite: Suite, rows: Sequence[ResultRow], dataset: Dataset) -> None:
    """Write the conclusion, and for it evaluate the best configuration on the test set."""
    from mlplab.lab.analysis.test_set import evaluate_on_test_set
    from mlplab.lab.report.conclusion import to_markdown

    write_conclusion(
        folder,
        suite,
        rows,
        lambda trials: evaluate_on_test_set(folder, trials, dataset),
        to_markdown,
        dataset.cautions(),
    )
