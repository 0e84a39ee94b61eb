"""The results of a suite, as its run folder holds them."""

from __future__ import annotations

from dataclasses import dataclass

from mlplab.lab.spec.suite import Suite
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Results:
    """The results of a suite.

    Attributes:
        folder: where they are stored.
        suite: bound to its data, its search expanded into experiments.
        rows: one for each trial of each experiment.
    """

    folder: RunFolder
    suite: Suite
    rows: tuple[ResultRow, ...]

    @property
    def failed(self) -> list[ResultRow]:
        """The rows whose trial failed, or has no final result yet."""
        return [row for row in self.rows if row.unfinished or row.failed]

    @property
    def done(self) -> list[ResultRow]:
        """The rows that are compared: trained to their end, and not only tried by a search."""
        return [row for row in self.rows if row.is_compared]
