"""A run folder as an object, to work with in a script or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.errors import RunFolderError, SettingError, nearest, one_of
from mlplab.lab.analysis.conclusion import current_conclusion
from mlplab.lab.analysis.findings import Conclusion, Configuration
from mlplab.lab.search.log import expand_search
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Suite
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from mlplab.data import Dataset
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.lab.storage.predictions import Predictions
    from mlplab.stats.comparison import Comparison
    from mlplab.training.history import History


@dataclass(frozen=True, repr=False)
class Run(Results):
    """The results of a suite in its run folder, as returned by `run_suite` and `open_run`. No method writes a file.

    An argument `trial` is the label of a trial, such as ``[784-1024-10]_iter20_lr0.01_reg0.0``, or its id.

    Data frames, data and conclusion are read from the folder on first use and then kept.

    Attributes:
        folder, suite, rows: see `mlplab.lab.storage.results.Results`.
        trained: the number of trials that the call of `run_suite` trained; a trial of a search counts each time that it
            was trained further. It is 0 for `open_run`.
    """

    trained: int = 0

    def __repr__(self) -> str:
        states = [row.status for row in {row.trial.id: row for row in self.rows}.values()]
        counts = ", ".join(f"{states.count(status)} {status}" for status in Status if status in states)
        return f"<Run {self.suite.name} in {self.folder.path}: {counts or 'no trials yet'}>"

    @cached_property
    def trials(self) -> pandas.DataFrame:
        """A row for each trial of each experiment, with the columns of ``results.csv``; see `mlplab.load_results`."""
        from mlplab.lab.storage.frames import trials_of

        return trials_of(self)

    @cached_property
    def epochs(self) -> pandas.DataFrame:
        """A row for each epoch of each trial; see `mlplab.load_results`.

        Raises:
            RunFolderError: if a history is damaged.
        """
        from mlplab.lab.storage.frames import read_epochs

        return read_epochs(self.folder, self.trials)

    @cached_property
    def conclusion(self) -> Conclusion | None:
        """The conclusion that was drawn from these results; None if there is none yet."""
        return current_conclusion(self)

    @property
    def best(self) -> Configuration | None:
        """The best configuration according to the conclusion; None without one."""
        return self.conclusion.best if self.conclusion else None

    @cached_property
    def dataset(self) -> Dataset:
        """The data set of the suite, loaded from its source.

        Raises:
            DataError: if the source is missing or cannot be read.
        """
        return self.suite.source.load()

    def load(self, trial: str) -> NeuralNetworkClassifier:
        """Return the fitted network of a trial that was trained to its end.

        Raises:
            SettingError: if the run does not have the trial.
            RunFolderError: if the trial is not done, so that it has no network.
            ModelFileError: if the file of the network is missing or damaged.
        """
        from mlplab.estimators.model_file import load_classifier

        row = self._find(trial)
        if row.status != Status.DONE:
            raise RunFolderError(f"{row.label} has no network: its status is {row.status}")
        return load_classifier(self.folder.network_file(row.trial.id))

    def history(self, trial: str) -> History:
        """Return the loss and the other measures of a trial after every epoch; empty if it has not been trained.

        Raises:
            SettingError: if the run does not have the trial.
            RunFolderError: if the file of the history is damaged.
        """
        return self.folder.read_history(self._find(trial).trial.id)

    def validation_predictions(self, trial: str) -> Predictions:
        """Return the predictions of a trial's network for the validation rows.

        Returns:
            Row numbers, true classes and predicted classes, (rows,) each, and probabilities, (rows, classes). If an
            earlier version did not store the probabilities, they are computed from the stored network.

        Raises:
            SettingError: if the run does not have the trial.
            RunFolderError: if the trial has no predictions, because it was not trained, failed or diverged, or if
                their file is damaged.
            DataError, ModelFileError: if probabilities have to be computed, and the data or the network cannot be read.
        """
        from mlplab.lab.storage.predictions import complete_predictions

        row = self._find(trial)
        if not self.folder.predictions_file(row.trial.id).is_file():
            raise RunFolderError(f"{row.label} has no predictions: its status is {row.status}")
        stored = self.folder.read_predictions(row.trial.id)
        if stored.probabilities is None:  # written by an earlier version
            return complete_predictions(self.folder, row.trial.id, self.dataset) or stored
        return stored

    def compare(self, *, experiment: str | None = None, confidence: float = 0.95, margin: float = 0.0) -> Comparison:
        """Compare the configurations of the run; see `mlplab.lab.compare_results` for arguments and errors."""
        from mlplab.lab.analysis.folders import compare_stored

        return compare_stored(self, experiment=experiment, confidence=confidence, margin=margin)

    def plot_learning_curves(self, trials: Sequence[str], *, title: str = "") -> Figure:
        """Plot the learning curves of some trials, one line per trial; see `mlplab.plot_learning_curves`.

        Returns:
            A new figure, which is the current one of pyplot.

        Raises:
            SettingError: if the run does not have one of the trials.
            RunFolderError: if the file of a history is damaged.
        """
        from mlplab.plots.curves import CurveSet
        from mlplab.plots.plots import draw_curves
        from mlplab.plots.pyplot_figure import new_pyplot_figure

        curves = [CurveSet(row.label, (self.history(row.trial.id),)) for row in map(self._find, trials)]
        return draw_curves(curves, title, make_figure=new_pyplot_figure)

    @property
    def figure_names(self) -> list[str]:
        """The names of the figures that `figure` draws from the results so far.

        Raises:
            DataError: if the data cannot be read; they may be images.
            RunFolderError: if the folder is damaged.
        """
        from mlplab.lab.report.figures import figures_of

        return list(figures_of(self, self.image_dataset()))

    def figure(self, name: str) -> Figure:
        """Draw one of the figures of the run folder from the results so far.

        Returns:
            A new figure, which pyplot does not manage.

        Raises:
            SettingError: if the name is not one of the `figure_names`.
            DataError: if the data cannot be read; they may be images.
            RunFolderError: if the folder is damaged.
        """
        from mlplab.lab.report.figures import figures_of

        figures = figures_of(self, self.image_dataset())
        if name not in figures:
            raise SettingError(f"name must be {one_of(figures)}; got {name!r}{nearest(name, figures)}")
        return figures[name]()

    def image_dataset(self) -> Dataset | None:
        """Return the data set if its rows may be images, which figures show; None for a table.

        Raises:
            DataError: if the source is missing or cannot be read.
        """
        return None if self.suite.source.is_frame else self.dataset

    def _find(self, trial: str) -> ResultRow:
        for row in self.rows:
            if trial in (row.label, row.trial.id):
                return row
        labels = list(dict.fromkeys(row.label for row in self.rows))
        hint = nearest(trial, labels) or (f"; the labels are {one_of(labels[:5])}" if labels else "")
        raise SettingError(f"{self.folder.path} has no trial {trial!r}{hint}")


def open_run(path: str | Path, suite: Suite | None = None, *, thorough: bool = False) -> Run:
    """Open a run folder; nothing is written.

    Args:
        path: the run folder.
        suite: the suite of the folder; None reads it from the folder. The folder may be empty or missing if a suite is
            given.
        thorough: whether to compare the SHA-256 of every file of every trial; otherwise only sizes are compared.

    Raises:
        RunFolderError: if the folder is not a run folder, its search is damaged, or it holds another search.
        DataError: if the suite is not bound to its data set and the file of the data is missing.
    """
    folder = RunFolder(Path(path))
    expanded = expand_search((suite or folder.suite()).bind(), folder)
    rows = folder.rows(expanded, folder.read_labels(), thorough=thorough)
    return Run(folder, expanded, tuple(rows))


def compare_results(
    path: str | Path, *, experiment: str | None = None, confidence: float = 0.95, margin: float = 0.0
) -> Comparison:
    """Compare the configurations in a run folder, as `compare_configurations` does.

    Configurations whose seeds differ from those of the best one are left out and counted, and so are all but the best
    500. For a search, the finalists are compared.

    Args:
        path: the run folder.
        experiment: the name of an experiment, to compare only its configurations; None compares all.
        confidence, margin: see `compare_configurations`.

    Raises:
        RunFolderError: if the folder is not a run folder or is damaged, or no network has been trained to its end.
        SettingError: if there is no such experiment, or the confidence or the margin is out of range.
    """
    return open_run(path).compare(experiment=experiment, confidence=confidence, margin=margin)
