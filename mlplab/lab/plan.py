"""What a suite is missing: which jobs there are, what they are called, and in which order to do them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlplab.data import Dataset
from mlplab.lab.job import Job, group_into_jobs
from mlplab.lab.store import ResultRow
from mlplab.lab.suite import Suite
from mlplab.lab.trial import Trial
from mlplab.nn.network import count_parameters
from mlplab.training.build import layer_sizes
from mlplab.training.tasks import classify


def make_labels(suite: Suite, fingerprint: str, dataset: Dataset) -> dict[str, str]:
    """Return the label of every trial by its id."""
    return label_trials([trial for _, trial in suite.cells(fingerprint)], suite, dataset)


def label_trials(trials: Iterable[Trial], suite: Suite, dataset: Dataset) -> dict[str, str]:
    """Return what trials of the suite are called, by their ids."""
    inputs, classes, varying = dataset.X.shape[1], len(dataset.classes), suite.varying()
    several = suite.seeds > 1 or suite.search is not None
    return {t.id: t.label(inputs, classes, varying) + (f"_seed{t.seed}" if several else "") for t in trials}


def plan(rows: Sequence[ResultRow], dataset: Dataset) -> list[Job]:
    """Return the jobs for the rows that wait or failed, the longest first."""
    missing = [row for row in rows if row.unfinished]
    return longest_first(group_into_jobs([row.trial for row in missing], [row.label for row in missing]), dataset)


def longest_first(jobs: Sequence[Job], dataset: Dataset) -> list[Job]:
    """Return the jobs in the order to do them in: a long one at the end would run alone."""
    inputs, classes = dataset.X.shape[1], len(dataset.classes)
    return sorted(jobs, key=lambda job: -job.epochs * cost_of_epoch(job, inputs, classes))


def cost_of_epoch(job: Job, inputs: int, classes: int) -> float:
    """Return what an epoch costs, in multiplications a row: three products a layer, two in the first."""
    sizes = layer_sizes(job.trials[-1]["hidden_layer_sizes"], inputs, classify(classes).outputs)
    return 3 * count_parameters(sizes, fit_intercept=False) - sizes[0] * sizes[1]
