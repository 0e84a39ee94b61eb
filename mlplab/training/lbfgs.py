"""Solver "lbfgs": minimization over all rows at once, by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mlplab.engine.base import Array
from mlplab.nn.network import GradientWriter
from mlplab.nn.penalties import l1_value, l2_value
from mlplab.training.history import Epoch
from mlplab.training.trainer import Trainer
from mlplab.utils.warn import warn


def run_lbfgs(
    trainer: Trainer, *, max_iter: int, max_fun: int, tol: float, on_epoch_end: Callable[[], bool] = lambda: False
) -> None:
    """Minimize the objective of a single member over all rows; every iteration is an epoch of its history.

    Source: Byrd et al. 1995, as in `scipy.optimize.minimize`. The gradient is summed batch by batch, so that memory use
    does not grow with the number of rows.

    Args:
        max_iter, max_fun: the largest number of iterations and of evaluations of the objective.
        tol: stop where no component of the gradient is larger.
        on_epoch_end: called after every iteration; return True to stop.
    """
    from scipy.optimize import minimize  # half a second to import

    objective, history = _Objective(trainer), trainer.histories[0]
    started = perf_counter()

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal started
        objective.put(intermediate_result.x)
        value = objective.at(intermediate_result.fun)
        val = trainer.evaluate(trainer.validation) if trainer.validation else None
        measured = val.of(0) if val else {}
        now = perf_counter()
        trainer.learner.epochs += 1
        trainer.learner.rows += len(trainer.training.rows)
        history.epochs.append(
            Epoch(1 + len(history), *value, **measured, seconds=now - started, objective=float(intermediate_result.fun))
        )
        started = now
        if on_epoch_end():
            raise StopIteration

    with trainer.network.engine.quiet():
        found = minimize(
            objective,
            trainer.network.engine.to_numpy(trainer.network.theta.flat[0]).astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration,
            options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
        )
    objective.put(found.x)
    if not isfinite(found.fun) or not np.isfinite(found.x).all():
        history.diverged_in = 1 + len(history)
    elif found.status == 1:
        warn(
            f"lbfgs failed to converge after {found.nit} iteration(s): {found.message}; "
            "raise max_iter or max_fun, or scale the features",
            ConvergenceWarning,
        )


class _Objective:
    """The mean loss of all rows plus the penalties, and its gradient, as functions of a flat vector."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._network = trainer, trainer.network
        self._writer = GradientWriter(trainer.network, trainer.rates.l1)
        weights = trainer.training.rows.weights
        self._total = float(len(trainer.training.rows) if weights is None else weights.sum(dtype=np.float64))
        rates = trainer.rates
        self._decay = [rates.weight_decay[0] + rates.alpha[0] / self._total]
        self._seen: dict[float, tuple[float, float]] = {}

    def put(self, theta: Array) -> None:
        """Set the network's parameters."""
        self._network.theta.flat[0] = self._network.engine.asarray(theta)

    def at(self, objective: float) -> tuple[float, float]:
        """Return the mean loss and the accuracy from the evaluation in which the objective had this value."""
        return self._seen.get(objective, (nan, nan))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        self.put(theta)
        trainer, network, writer = self._trainer, self._network, self._writer
        xp, to_numpy = network.engine.xp, network.engine.to_numpy
        loss = right = 0.0
        writer.begin([self._total], self._decay)
        for batch in trainer.training.in_order():
            work = trainer.workspace(batch.X.shape[1])
            z = network.forward(batch.X, work)
            weights = np.ones(1) if batch.weights is None else to_numpy(batch.weights)
            right += float((to_numpy(trainer.task.right(xp, z, batch.y)) * weights).sum())
            loss += float((to_numpy(trainer.loss.value_and_delta(xp, z, batch.T)) * weights).sum(dtype=np.float64))
            if batch.weights is not None:
                z *= batch.weights[..., None]
            network.backward(z, work, writer)
            writer.resume()
        flat = network.theta.flat[:, : network.theta.weight_count]
        penalty = l2_value(xp, flat, self._decay)[0] + l1_value(xp, flat, trainer.rates.l1)[0]
        value = loss / self._total + float(penalty)
        self._seen[value] = loss / self._total, right / self._total
        return value, to_numpy(writer.gradient.flat[0]).astype(np.float64)
