"""From stored results to tables and pictures; nothing here trains."""

from mlplab.report.figures import plot_confusion_matrix, plot_learning_curves, plot_learning_rates
from mlplab.report.suite_figures import draw_figures

__all__ = ["draw_figures", "plot_confusion_matrix", "plot_learning_curves", "plot_learning_rates"]
