"""The results of a suite, read from its run folder."""

from __future__ import annotations

from dataclasses import dataclass

from mlplab.lab.spec.suite import Suite
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Results:
    """The results of a suite.

    Attributes:
        folder: the run folder that holds the results.
        suite: the suite, bound to its data set, with its search expanded into experiments.
        rows: one for each trial of each experiment.
    """

    folder: RunFolder
    suite: Suite
    rows: tuple[ResultRow, ...]

    @property
    def failed(self) -> list[ResultRow]:
        """The rows of trials that failed or are not finished yet."""
        return [row for row in self.rows if row.unfinished or row.failed]

    @property
    def done(self) -> list[ResultRow]:
        """The rows of trials that are done, without those that only a search tried."""
        return [row for row in self.rows if row.is_compared]
