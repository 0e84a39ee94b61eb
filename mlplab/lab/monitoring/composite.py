"""What happens in a run, told to other people's tools as it happens: TensorBoard and MLflow.

Each is a `RunObserver` and hears what the one on the terminal hears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlplab.errors import shorten
from mlplab.lab.monitoring.observer import RunObserver


class CompositeObserver:
    """A display, and others that hear the same; one that fails, for its server is away, say, is told nothing more."""

    def __init__(self, first: RunObserver, others: Sequence[RunObserver]) -> None:
        self._first, self._others = first, list(others)

    def __getattr__(self, method: str) -> Callable[..., None]:
        def tell(*news: Any) -> None:
            getattr(self._first, method)(*news)
            for display in list(self._others):
                try:
                    getattr(display, method)(*news)
                except Exception as error:  # whatever it is: the training must not end with it
                    self._others.remove(display)
                    self._first.note(f"{type(display).__name__} is told nothing more: {shorten(str(error))}")

        return tell
