"""When to stop: no improvement for some epochs, counted as scikit-learn counts."""

from __future__ import annotations

from math import inf


class Patience:
    """Counts epochs without an improvement of more than `tol`.

    Args:
        tol: how much better than the best so far an epoch must be.
        n_iter_no_change: how many epochs in a row may fail to be.

    Attributes:
        best: the lowest value seen; to watch something that should grow, pass its negative.
    """

    state_attributes = ("best", "_waited")

    def __init__(self, tol: float, n_iter_no_change: float) -> None:
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.best = inf
        self._waited = 0

    def update(self, value: float) -> bool:
        """Take the value of the epoch that ended; return whether it is the best so far."""
        self._waited = self._waited + 1 if value > self.best - self.tol else 0
        improved = value < self.best
        self.best = min(self.best, value)
        return improved

    def reset(self) -> None:
        """Begin to count anew; the best value stays."""
        self._waited = 0

    @property
    def exhausted(self) -> bool:
        """Whether more than `n_iter_no_change` epochs in a row brought nothing."""
        return self._waited > self.n_iter_no_change
