"""The jobs that a suite still needs, their order and their cost."""

from __future__ import annotations

from collections.abc import Sequence

from mlplab.data import Dataset
from mlplab.lab.spec.job import Job, group_into_jobs
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.nn.network import count_parameters
from mlplab.training.build import layer_sizes
from mlplab.training.tasks import classify


def missing_jobs(rows: Sequence[ResultRow], dataset: Dataset) -> list[Job]:
    """Return the jobs for the rows that are not finished, the longest first."""
    missing = [row for row in rows if row.unfinished]
    return longest_first(group_into_jobs([row.trial for row in missing], [row.label for row in missing]), dataset)


def longest_first(jobs: Sequence[Job], dataset: Dataset) -> list[Job]:
    """Return jobs in order of decreasing cost: a long job that starts last would run alone."""
    inputs, classes = dataset.X.shape[1], len(dataset.classes)
    return sorted(jobs, key=lambda job: -job.epochs * cost_of_epoch(job, inputs, classes))


def cost_of_epoch(job: Job, inputs: int, classes: int) -> float:
    """Return the cost of an epoch in multiplications per row: three products per layer, two in the first layer."""
    sizes = layer_sizes(job.trials[-1]["hidden_layer_sizes"], inputs, classify(classes).outputs)
    return 3 * count_parameters(sizes, fit_intercept=False) - sizes[0] * sizes[1]
