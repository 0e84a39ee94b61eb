"""The rows of `results.csv`, and the formatting of tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Experiment
from mlplab.lab.spec.trial import Trial, TrialResult, describe_value

#: Columns that results.csv files of earlier versions lack.
OPTIONAL = ("val_brier",)
#: The columns of a trial's numbers; those of results.csv files of earlier versions come first, in their order.
MEASURES = ("epochs", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds", "parameters", *OPTIONAL)


@dataclass(frozen=True)
class ResultRow:
    """A row of ``results.csv``: a trial in an experiment.

    Attributes:
        experiment: the experiment.
        trial: the trial.
        label: the label of the trial.
        result: the result of the trial; None if it has not been trained.
    """

    experiment: Experiment
    trial: Trial
    label: str
    result: TrialResult | None

    @property
    def status(self) -> Status:
        """The status of the result, WAITING without a result."""
        return self.result.status if self.result else Status.WAITING

    @property
    def failed(self) -> bool:
        """Whether the trial failed; the next run trains it again."""
        return self.status == Status.FAILED

    @property
    def unfinished(self) -> bool:
        """Whether the trial has to be trained to its end before the conclusion; never true of a search's own trials."""
        return self.status in (Status.WAITING, Status.FAILED, Status.PAUSED) and not self.experiment.from_search

    @property
    def is_compared(self) -> bool:
        """Whether its configuration is compared: the trial is done, and not one that only a search tried."""
        return self.status == Status.DONE and not self.experiment.from_search


def format_results(rows: Sequence[ResultRow], varying: Sequence[str]) -> str:
    """Return the content of ``results.csv``; the settings that are `varying` have a column each."""
    header = ["experiment", "trial", "label", "seed", "status", *varying, *MEASURES]
    lines = [
        [
            row.experiment.name,
            row.trial.id,
            row.label,
            row.trial.seed,
            row.status,
            *(describe_value(row.trial[name]) for name in varying),
            *(getattr(row.result, name) if row.result else None for name in MEASURES),
        ]
        for row in rows
    ]
    return format_csv(header, lines)


def format_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table as CSV; None and NaN are empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if _is_missing(value) else value for value in row] for row in rows])
    return text.getvalue()


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))
