"""Figures managed by pyplot, for the plotting functions that users call."""

from __future__ import annotations

from typing import Any

from matplotlib import get_backend
from matplotlib.figure import Figure


def new_pyplot_figure(**options: Any) -> Figure:
    """Return a new figure that is pyplot's current one, so that ``plt.savefig`` and ``plt.show`` apply to it.

    Args:
        options: of `matplotlib.pyplot.figure`, such as ``figsize``.
    """
    from matplotlib import pyplot as plt  # slow to import, and not needed for the figures of run folders

    return plt.figure(FigureClass=_ShownOnce, **options)


class _ShownOnce(Figure):
    """A figure that a notebook shows once, even if it is the value of a cell.

    IPython shows a figure that is the value of a cell, and at the end of the cell the inline backend shows and closes
    every open figure. An ordinary pyplot figure would therefore appear twice.
    """

    def _ipython_display_(self) -> None:
        """Close the figure, which is about to be shown, so that the inline backend does not show it again."""
        from matplotlib import pyplot as plt

        if "inline" in get_backend():
            plt.close(self)
        raise NotImplementedError  # IPython then shows the figure like any other
