"""Run a suite: train what is missing, in parallel, conclude, and write the report."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.engine.cpu import usable_cores
from mlplab.errors import SettingError
from mlplab.lab.analysis.conclusion import draw_conclusion, is_concluded
from mlplab.lab.execution.process_pool import ProcessPool
from mlplab.lab.monitoring.observer import NullObserver
from mlplab.lab.recovery import recover_folder
from mlplab.lab.report.writing import draw_missing_figures, store_conclusion
from mlplab.lab.run import Run, open_run
from mlplab.lab.spec.suite import Suite, load_suite
from mlplab.lab.storage.integrity import remove_manifest, write_manifest
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.settings import check_count

if TYPE_CHECKING:
    from mlplab.data import Dataset
    from mlplab.lab.execution.executor import Executor
    from mlplab.lab.monitoring.observer import RunObserver
    from mlplab.training.tasks import Task


def run_suite(
    suite: Suite | str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    observer: RunObserver | None = None,
    checkpoint_seconds: float = 10.0,
    scheduler: str | None = None,
    figures: bool = True,
) -> Run:
    """Train every trial of a suite that the run folder does not hold yet; write the conclusion and the figures.

    Args:
        suite: a suite, the name of a built-in one, or a TOML file.
        out: the run folder; None is ``runs/`` and the suite's name.
        jobs: the number of worker processes; None is one for each core.
        observer: shows the progress, such as `mlplab.lab.monitoring.terminal.SuiteDisplay`; None shows nothing.
        checkpoint_seconds: the time between two checkpoints of a training. An interrupted run that is started again
            resumes from the last checkpoints.
        scheduler: the address or the file of a Dask scheduler whose workers train the networks; None trains on this
            machine.
        figures: whether to draw the figures; `mlplab.lab.Run.figure` and ``mlplab report`` draw them later.

    Returns:
        The run. Its `trained` is the number of trials that this call trained; see `mlplab.lab.Run`.

    Raises:
        SettingError, DataError: if the suite, the data or the scheduler cannot be used.
        MissingExtraError: if a search lacks Optuna, or a scheduler lacks Dask.
        RunFolderError: if the folder is in use, cannot be written, or holds another suite.
    """
    if not isinstance(suite, Suite):
        suite = load_suite(suite)
    count = check_count("jobs", jobs) if jobs is not None else usable_cores()
    suite = suite.bind(suite.source.fingerprint())
    folder = RunFolder(Path(out) if out is not None else Path("runs") / suite.name)
    load = cache(partial(_load, suite))
    if not folder.suite_file.is_file():
        load()  # invalid data or settings are reported before anything is written
    observer = observer or NullObserver()
    with folder.locked():
        recover_folder(folder, suite, observer)
        run = open_run(folder.path, suite, thorough=True)
        if is_concluded(run):  # a finished suite does not need scikit-learn, which takes a second to import
            remove_manifest(folder)
            folder.write_suite(suite)
            folder.write_results(run.rows, run.suite.varying())
        else:
            with _make_executor(folder, count, scheduler, checkpoint_seconds, observer) as executor:
                executor.start(executor.slots if suite.search else sum(row.unfinished for row in run.rows))
                executor.bind(load())
                remove_manifest(folder)
                folder.write_suite(suite)
                run = _train(run, load(), observer, executor)
            _conclude(run, load())
        if figures:
            draw_missing_figures(run, lambda: None if suite.source.is_frame else load())
        write_manifest(folder)
    return run


def _load(suite: Suite) -> Dataset:
    """Load the suite's data, and check that they can be split and that the networks can be built."""
    from mlplab.data import split_rows
    from mlplab.training.tasks import classify

    if suite.measure.needs != "labels":  # the intervals of a test evaluation are those of right and wrong rows
        raise SettingError(f"metric {suite.metric!r} cannot choose configurations yet; 'accuracy' can")
    dataset = suite.source.load()
    split_rows(dataset, suite.split, 0, suite.samples)
    _check_networks(suite, classify(len(dataset.classes)))
    return dataset


def _check_networks(suite: Suite, task: Task) -> None:
    """Raise SettingError if a configuration cannot be built, with any seed."""
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
    """Return the executor: `jobs` processes on this machine, or the workers of a scheduler."""
    if scheduler is None:
        return ProcessPool(folder, jobs, checkpoint_seconds)
    from mlplab.lab.execution.dask_cluster import DaskCluster

    return DaskCluster(scheduler, folder, checkpoint_seconds, observer.note)


def _train(run: Run, dataset: Dataset, observer: RunObserver, executor: Executor) -> Run:
    """Train the missing trials, write the results, and return the updated run."""
    from mlplab.lab.execution.dispatch import TrainingContext, train_missing

    for caution in dataset.cautions():
        observer.note(caution)
    folder, trained = run.folder, 0
    context = TrainingContext(run.suite, dataset, folder, executor, observer)
    if run.suite.search:
        from mlplab.lab.search.driver import run_search

        suite, trained = run_search(context)
        run = replace(run, suite=suite, rows=tuple(folder.rows(suite, {}, thorough=True)))
    labels = run.suite.labels(dataset)
    rows = [row if row.result else replace(row, label=labels[row.trial.id]) for row in run.rows]
    missing = {row.trial.id for row in rows if row.unfinished}
    try:
        if missing:
            train_missing(replace(context, suite=run.suite), rows)
    finally:
        rows = [replace(row, result=folder.read_result(row.trial.id)) for row in rows]
        folder.write_results(rows, run.suite.varying())
    trained += len(missing - {row.trial.id for row in rows if row.unfinished})
    return replace(run, rows=tuple(rows), trained=trained)


def _conclude(run: Run, dataset: Dataset) -> None:
    """Draw and write the conclusion, which evaluates the best configuration on the test set."""
    from mlplab.lab.analysis.test_set import evaluate_on_test_set

    evaluate = partial(evaluate_on_test_set, run.folder, dataset=dataset, metric=run.suite.measure)
    store_conclusion(run.folder, draw_conclusion(run, evaluate, dataset.cautions()))
