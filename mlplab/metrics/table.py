"""The table of metrics. To add one: write its function and give it an entry."""

from __future__ import annotations

from mlplab.errors import SettingError, nearest, one_of
from mlplab.metrics.base import Metric, mean_of
from mlplab.metrics.classification import brier_scores, is_right, log_losses
from mlplab.metrics.regression import squared_errors

#: Every metric by its name.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, "labels", mean_of(is_right), is_right, in_percent=True),
        Metric("log_loss", False, "probabilities", mean_of(log_losses), log_losses),
        Metric("brier", False, "probabilities", mean_of(brier_scores), brier_scores),
        Metric("mse", False, "values", mean_of(squared_errors), squared_errors),
    )
}


def find_metric(name: str) -> Metric:
    """Return the metric of a name.

    Raises:
        SettingError: for a name that is not in `METRICS`.
    """
    if name not in METRICS:
        raise SettingError(f"metric must be {one_of(METRICS)}; got {name!r}{nearest(name, METRICS)}")
    return METRICS[name]
