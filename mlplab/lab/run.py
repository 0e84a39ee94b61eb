"""A run folder as an object, to work with in a script or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.errors import RunFolderError, SettingError, nearest, one_of
from mlplab.lab.analysis.conclusion import read_conclusion
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
    """The results of a suite in its run folder.

    Where a trial is asked for, its label does, such as ``[784-1024-10]_iter20_lr0.01_reg0.0``, or its id.

    Attributes:
        folder, suite, rows: see `mlplab.lab.storage.results.Results`.
        trained: the number of trials that the call of `run_suite` trained to their end.
    """

    trained: int = 0

    def __repr__(self) -> str:
        states = [row.status for row in {row.trial.id: row for row in self.rows}.values()]
        counts = ", ".join(f"{states.count(status)} {status}" for status in Status if status in states)
        return f"<Run {self.suite.name} in {self.folder.path}: {counts or 'no trials yet'}>"

    @property
    def trials(self) -> pandas.DataFrame:
        """A row for each trial of each experiment: the content of ``results.csv``."""
        return self._frames[0]

    @property
    def epochs(self) -> pandas.DataFrame:
        """A row for each epoch of each trial; see `mlplab.load_results`."""
        return self._frames[1]

    @cached_property
    def _frames(self) -> tuple[pandas.DataFrame, pandas.DataFrame]:
        from mlplab.lab.storage.frames import load_results

        return load_results(self.folder.path)

    @cached_property
    def conclusion(self) -> Conclusion | None:
        """The conclusion, None while there is none."""
        return read_conclusion(self.folder)

    @property
    def best(self) -> Configuration | None:
        """The best configuration of the conclusion, None while there is none."""
        return self.conclusion.best if self.conclusion else None

    @cached_property
    def dataset(self) -> Dataset:
        """The data of the suite.

        Raises:
            DataError: for data that are not where they were.
        """
        return self.suite.source.load()

    def load(self, trial: str) -> NeuralNetworkClassifier:
        """Return the network of a trial that was trained to its end, ready to predict.

        Raises:
            SettingError: for a trial that the run does not have.
            RunFolderError: for one without a network, or a damaged file.
        """
        from mlplab.estimators.model_file import load_classifier

        row = self._find(trial)
        if row.status != Status.DONE:
            raise RunFolderError(f"{row.label} has no network: its status is {row.status}")
        return load_classifier(self.folder.trial(row.trial.id) / "model.safetensors")

    def history(self, trial: str) -> History:
        """Return loss and measures of a trial after every epoch."""
        return self.folder.read_history(self._find(trial).trial.id)

    def validation_predictions(self, trial: str) -> Predictions:
        """Return the predictions of a trial's network for the validation rows.

        Raises:
            SettingError: for a trial that the run does not have.
            RunFolderError: for a trial without predictions: it waits, failed or diverged.
        """
        from mlplab.lab.storage.predictions import complete_predictions

        row = self._find(trial)
        if not self.folder.predictions_file(row.trial.id).is_file():
            raise RunFolderError(f"{row.label} has no predictions: its status is {row.status}")
        found = self.folder.read_predictions(row.trial.id)
        if found.probabilities is None:  # of an earlier version
            return complete_predictions(self.folder, row.trial.id, self.dataset) or found
        return found

    def compare(self, *, experiment: str | None = None, confidence: float = 0.95, margin: float = 0.0) -> Comparison:
        """Compare the configurations; see `compare_results`."""
        from mlplab.lab.analysis.folders import compare_stored

        return compare_stored(self, experiment=experiment, confidence=confidence, margin=margin)

    def plot_learning_curves(self, trials: Sequence[str], *, title: str = "") -> Figure:
        """Plot the learning curves of some trials into a new figure of pyplot; see `mlplab.plot_learning_curves`."""
        from mlplab.plots.curves import CurveSet
        from mlplab.plots.plots import draw_curves
        from mlplab.plots.pyplot_figure import new_pyplot_figure

        curves = [CurveSet(row.label, (self.history(row.trial.id),)) for row in map(self._find, trials)]
        return draw_curves(curves, title, make_figure=new_pyplot_figure)

    @property
    def figure_names(self) -> list[str]:
        """The names of the figures that `figure` draws."""
        from mlplab.lab.report.figures import figures_of

        return list(figures_of(self, self.image_dataset()))

    def figure(self, name: str) -> Figure:
        """Draw one of the figures of the run folder.

        Raises:
            SettingError: for a name that is not among the `figure_names`.
        """
        from mlplab.lab.report.figures import figures_of

        found = figures_of(self, self.image_dataset())
        if name not in found:
            raise SettingError(f"name must be {one_of(found)}; got {name!r}{nearest(name, found)}")
        return found[name]()

    def image_dataset(self) -> Dataset | None:
        """Return the data where their rows may be images, which figures show; None for a table."""
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
        path: of the folder. suite: that it holds, or will hold; None reads the folder's own.
        thorough: whether every file of every trial is read and compared with its SHA-256; else only sizes are compared.

    Raises:
        RunFolderError: for a folder that is no run folder, or holds another search.
        DataError: for a suite that is not bound to data that are missing.
    """
    folder = RunFolder(Path(path))
    expanded = expand_search((suite or folder.suite()).bind(), folder)
    rows = folder.rows(expanded, folder.read_labels(), thorough=thorough)
    return Run(folder, expanded, tuple(rows))


def compare_results(
    path: str | Path, *, experiment: str | None = None, confidence: float = 0.95, margin: float = 0.0
) -> Comparison:
    """Compare the configurations in a run folder, as `compare_configurations` does.

    Configurations whose seeds are not those of the best are left out and counted, and so are all but the best 500. For
    a search, the finalists are compared.

    Args:
        experiment: the name of one, to compare its configurations alone; None takes all.
        confidence, margin: see there.

    Raises:
        RunFolderError: for a folder that is none, is damaged, or where no network was trained to its end.
        SettingError: for an experiment that is not there, a confidence or a margin that is out of range.
    """
    return open_run(path).compare(experiment=experiment, confidence=confidence, margin=margin)
