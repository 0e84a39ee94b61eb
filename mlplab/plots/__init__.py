"""Plots of fitted estimators and of tables; nothing here trains."""

from mlplab.plots.plots import plot_confusion_matrix, plot_learning_curves, plot_learning_rates

__all__ = ["plot_confusion_matrix", "plot_learning_curves", "plot_learning_rates"]
