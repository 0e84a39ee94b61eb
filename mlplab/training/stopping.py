"""The stopping rule: no improvement for some epochs, counted as in scikit-learn."""

from __future__ import annotations

from math import inf


class Patience:
    """Counts epochs without an improvement of more than `tol`.

    Args:
        tol: the improvement over the best value so far that counts.
        n_iter_no_change: the number of epochs in a row that are allowed without one.

    Attributes:
        best: the lowest value so far; to monitor a value that should increase, pass its negative.
    """

    state_attributes = ("best", "_waited")

    def __init__(self, tol: float, n_iter_no_change: float) -> None:
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.best = inf
        self._waited = 0

    def update(self, value: float) -> bool:
        """Count the value of a finished epoch; return whether it is the best so far."""
        self._waited = self._waited + 1 if value > self.best - self.tol else 0
        improved = value < self.best
        self.best = min(self.best, value)
        return improved

    def reset(self) -> None:
        """Restart the count; keep the best value."""
        self._waited = 0

    @property
    def exhausted(self) -> bool:
        """Whether more than `n_iter_no_change` epochs in a row brought no improvement."""
        return self._waited > self.n_iter_no_change
