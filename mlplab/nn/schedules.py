"""Schedules: the factor of the learning rate during training, for every optimizer.

To add one, write its class and add a line to `SCHEDULES` and to `docs/parts.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, inf, pi
from typing import Protocol


class Schedule:
    """The constant schedule, and the base class of all others; override the methods you need."""

    @property
    def state_attributes(self) -> tuple[str, ...]:
        """The names of the attributes that change during training, saved in checkpoints; all attributes by default."""
        return tuple(vars(self))

    def factor(self, epoch: float, rows: int) -> float:
        """Return the factor of `learning_rate_init` in the next step.

        Args:
            epoch: the number of finished epochs, fractions included: 2.5 in the middle of the third.
            rows: the number of rows trained on in finished epochs, including those of earlier fits that this one
                continues.
        """
        return 1.0

    def on_epoch_end(self, value: float) -> None:
        """Receive the value to minimize: the validation loss if there is one, else the objective."""

    def on_no_improvement(self) -> bool:
        """Return whether to stop after `n_iter_no_change` epochs without improvement; False continues training."""
        return True


class InverseScaling(Schedule):
    """1 / (rows + 1)^power_t after the first epoch of a fit, scikit-learn's "invscaling"."""

    def __init__(self, power_t: float) -> None:
        self._power = power_t

    def factor(self, epoch: float, rows: int) -> float:
        # a fit that continues another has rows from before, but starts at the full rate too
        factor: float = 1.0 if epoch < 1 else (rows + 1.0) ** -self._power
        return factor


class Adaptive(Schedule):
    """Divides the rate by 5 whenever training would stop, until it is at most 1e-6; scikit-learn's "adaptive"."""

    def __init__(self, learning_rate_init: float) -> None:
        self._init, self._factor = learning_rate_init, 1.0

    def factor(self, epoch: float, rows: int) -> float:
        return self._factor

    def on_no_improvement(self) -> bool:
        if self._init * self._factor <= 1e-6:
            return True
        self._factor /= 5
        return False


class Step(Schedule):
    """Multiplies the rate by `decay` after every `every` epochs."""

    def __init__(self, decay: float, every: int) -> None:
        self._decay, self._every = decay, every

    def factor(self, epoch: float, rows: int) -> float:
        factor: float = self._decay ** (int(epoch) // self._every)
        return factor


class Cosine(Schedule):
    """Half a cosine from 1 to 0 over the epochs. Source: Loshchilov and Hutter 2017, equation 5, without restarts."""

    def __init__(self, epochs: float) -> None:
        self._epochs = epochs

    # ½·(1 + cos(π·epoch/epochs))
    def factor(self, epoch: float, rows: int) -> float:
        return _cosine(1.0, 0.0, epoch / self._epochs)


class OneCycle(Schedule):
    """From 1/25 to 1 in 0.3 of the epochs, then to 1/250,000, in half cosines. Source: Smith and Topin 2018."""

    def __init__(self, epochs: float) -> None:
        self._epochs = epochs

    def factor(self, epoch: float, rows: int) -> float:
        done = epoch / self._epochs
        return _cosine(1 / 25, 1.0, done / 0.3) if done < 0.3 else _cosine(1.0, 1 / 250_000, (done - 0.3) / 0.7)


class Plateau(Schedule):
    """Multiplies the rate by `decay` when more than `patience` epochs in a row have not lowered the loss."""

    def __init__(self, decay: float, patience: int) -> None:
        self._decay, self._patience = decay, patience
        self._factor, self._best, self._waited = 1.0, inf, 0

    def factor(self, epoch: float, rows: int) -> float:
        return self._factor

    def on_epoch_end(self, value: float) -> None:
        self._waited = 0 if value < self._best else self._waited + 1
        self._best = min(self._best, value)
        if self._waited > self._patience:
            self._factor, self._waited = self._factor * self._decay, 0


class WarmUp(Schedule):
    """A linear increase of the rate over `epochs` epochs, followed by another schedule."""

    def __init__(self, epochs: float, after: Schedule) -> None:
        self._epochs, self._after = epochs, after

    def factor(self, epoch: float, rows: int) -> float:
        # half a thousandth of an epoch keeps the first step from being 0
        rising = min(1.0, (epoch + 0.0005) / self._epochs)
        return rising * self._after.factor(max(0.0, epoch - self._epochs), rows)

    def on_epoch_end(self, value: float) -> None:
        self._after.on_epoch_end(value)

    def on_no_improvement(self) -> bool:
        return self._after.on_no_improvement()


# from + (to - from)·½·(1 - cos(π·done))
def _cosine(start: float, end: float, done: float) -> float:
    return start + (end - start) * 0.5 * (1 - cos(pi * min(1.0, done)))


class ScheduleSettings(Protocol):
    """The settings that schedules read."""

    learning_rate_init: float
    power_t: float
    learning_rate_decay: float | None
    learning_rate_step: int
    warmup_epochs: float
    max_iter: int


def _after_warm_up(settings: ScheduleSettings) -> float:
    return max(1e-9, settings.max_iter - settings.warmup_epochs)


def _decay(settings: ScheduleSettings, default: float) -> float:
    return default if settings.learning_rate_decay is None else settings.learning_rate_decay


#: Schedules by the names used in settings, scikit-learn's `learning_rate`.
SCHEDULES: dict[str, Callable[[ScheduleSettings], Schedule]] = {
    "constant": lambda s: Schedule(),
    "invscaling": lambda s: InverseScaling(s.power_t),
    "adaptive": lambda s: Adaptive(s.learning_rate_init),
    "step": lambda s: Step(_decay(s, 0.1), s.learning_rate_step),
    "exponential": lambda s: Step(_decay(s, 0.95), 1),
    "cosine": lambda s: Cosine(_after_warm_up(s)),
    "one_cycle": lambda s: OneCycle(_after_warm_up(s)),
    "plateau": lambda s: Plateau(_decay(s, 0.1), s.learning_rate_step),
}
#: Schedules that depend on `max_iter`: a run of 20 epochs differs from the first 20 epochs of a run of 40.
HORIZON_DEPENDENT = frozenset({"cosine", "one_cycle"})
