"""Metrics: numbers that compare predictions with the truth, as functions of arrays."""

from mlplab.metrics.base import Metric, Needs
from mlplab.metrics.table import METRICS, find_metric

__all__ = ["METRICS", "Metric", "Needs", "find_metric"]
