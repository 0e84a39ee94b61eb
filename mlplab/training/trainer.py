"""The loop over epochs and batches, for M networks at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter
from typing import ClassVar

import numpy as np

from mlplab.engine.base import Array, CompiledNetwork, Steps
from mlplab.metrics import Metric
from mlplab.nn.losses import Loss
from mlplab.nn.network import NO_NOISE, Network, Workspace
from mlplab.nn.normalization import MOMENTUM
from mlplab.nn.optimizers import Optimizer
from mlplab.nn.penalties import l1_value, l2_value, limit_norms
from mlplab.nn.schedules import Schedule
from mlplab.training.averaging import NoAverage, WeightAverage
from mlplab.training.batches import Batch, BatchReader
from mlplab.training.history import Epoch, History
from mlplab.training.prediction import Predictor
from mlplab.training.tasks import Task

#: Rows of a batch in evaluation: 1,000 make the matrix product efficient and fit in the cache.
EVALUATION_BATCH = 1000
#: Rows after which training checks whether losses are finite; checking every batch took 2 µs of a small step's 80.
_LOOK = 10_000


@dataclass(frozen=True)
class Rates:
    """The factors of the updates, in sequences with a number for each of the M members.

    They are not arrays, because each access to an array of one element costs 1 µs.

    Attributes:
        learning_rate: before the schedule.
        alpha: scikit-learn's: adds ½·alpha·‖W‖²/B to the mean loss of a batch of B rows.
        weight_decay: adds ½·weight_decay·‖W‖² to it.
        l1: adds l1·Σ|W| to it; for all members.
        max_norm: the largest norm of the weights into each unit of a hidden layer, or None; for all members.
    """

    learning_rate: Sequence[float]
    alpha: Sequence[float]
    weight_decay: Sequence[float]
    l1: float = 0.0
    max_norm: float | None = None


@dataclass
class Learner:
    """A network with everything that changes from one epoch to the next, from which a later fit can continue.

    Attributes:
        network: changed in place.
        optimizer, schedule: determine its updates. There is no optimizer for lbfgs, which reads all rows at once.
        generators: one for each member, for the order of the rows; None keeps the stored order.
        average: of the weights; the averaged weights are evaluated, saved and used.
        epochs: the number of epochs finished with this learner.
        rows: the number of rows read in finished epochs, in all fits together.
    """

    network: Network
    optimizer: Optimizer | None
    schedule: Schedule
    generators: Sequence[np.random.Generator] | None = None
    average: WeightAverage = field(default_factory=NoAverage)
    epochs: int = 0
    rows: int = 0

    state_attributes: ClassVar = ("network", "optimizer", "schedule", "generators", "average", "epochs", "rows")


@dataclass(frozen=True)
class Measured:
    """The loss and the metrics on some rows, for each member.

    Attributes:
        loss: the mean, (M,). metrics: each metric of the task, (M,), by its name.
    """

    loss: Array
    metrics: dict[str, Array]

    def of(self, member: int) -> dict[str, float]:
        """Return a member's values as the columns for validation rows in an `Epoch`."""
        measures = {"loss": self.loss, **self.metrics}
        return {f"val_{name}": float(values[member]) for name, values in measures.items()}


class _StopEpoch(Exception):  # noqa: N818
    """A callback stops this epoch."""


class Trainer:
    """Trains the members of a network on the same rows, each in an order of its own.

    Args:
        learner: the network to train and its optimizer, changed in place.
        task, loss, rates: define the objective and the size of the updates.
        training: reads the training rows.
        validation: reads the rows to evaluate after every epoch, or None.
        histories: of the members, to be continued; None starts new ones.
    """

    def __init__(
        self,
        learner: Learner,
        task: Task,
        loss: Loss,
        rates: Rates,
        training: BatchReader,
        validation: BatchReader | None = None,
        histories: list[History] | None = None,
    ) -> None:
        self.learner, self.network = learner, learner.network
        self.task, self.loss, self.rates = task, loss, rates
        self.training, self.validation = training, validation
        self.histories = histories or [History() for _ in range(self.network.members)]
        self._compiled = self._compile()
        self._predictor = Predictor(self.network, loss, self._compiled)
        self._weights = self.network.theta.flat[:, : self.network.theta.weight_count]

    def _compile(self) -> CompiledNetwork | None:
        """Return the compiled code for the steps, or None if the formulas in `mlplab.nn` are used."""
        learner = self.learner
        if learner.optimizer is None:
            return None
        return self.network.engine.compile(
            self.network,
            self.loss,
            learner.optimizer,
            task=self.task,
            rates=self.rates,
            average=learner.average,
            training=self.training,
        )

    def run(
        self,
        epochs: int,
        on_epoch_end: Callable[[], bool] = lambda: False,
        on_epoch_begin: Callable[[int], object] = lambda epoch: None,
        on_batch_end: Callable[[float], bool] | None = None,
    ) -> list[History]:
        """Train for `epochs` epochs and return the members' histories, which are extended epoch by epoch.

        Training stops early when `on_epoch_end`, called after every epoch, or `on_batch_end`, called with the mean loss
        of every batch, returns True, or when the loss of every member is no longer finite (`History.diverged_in`). An
        epoch that `on_batch_end` stops is not in the histories.
        """
        average = self.learner.average
        with self.network.engine.quiet():
            for _ in range(epochs):
                epoch, started = 1 + max(map(len, self.histories)), perf_counter()
                on_epoch_begin(epoch)
                average.swap_out(self.network)
                try:
                    losses, accuracies, penalties = self._train_epoch(on_batch_end)
                    self.learner.epochs += 1
                    self.learner.rows += len(self.training.rows)
                    average.on_epoch_end(self.network, self.learner.epochs)
                except _StopEpoch:
                    break
                finally:  # also after Ctrl-C, which leaves the average so far
                    self._swap_in()
                val = self.evaluate(self.validation) if self.validation else None
                finite = np.logical_and(np.isfinite(losses + penalties), self._finite_outputs(val))
                for history in (h for h, ok in zip(self.histories, finite, strict=True) if not ok):
                    history.diverged_in = history.diverged_in or epoch
                if all(h.diverged_in for h in self.histories):
                    break
                seconds = perf_counter() - started
                for m, history in enumerate(self.histories):
                    if not history.diverged_in:
                        history.epochs.append(
                            Epoch(
                                epoch,
                                float(losses[m]),
                                float(accuracies[m]),
                                **(val.of(m) if val else {}),
                                seconds=seconds,
                                objective=float(losses[m] + penalties[m]),
                            )
                        )
                self.learner.schedule.on_epoch_end(float(np.mean(val.loss if val else losses + penalties)))
                if on_epoch_end():
                    break
        return self.histories

    def _swap_in(self) -> None:
        """Put the average of the weights into the network, with the running statistics of batch normalization."""
        network, average = self.network, self.learner.average
        average.swap_in(network)
        if not (network.running and average.remeasures):
            return
        # Source: Izmailov et al. 2018, algorithm 1, last line. With 10,000 images of MNIST and 15 epochs averaged, the
        # accuracy on other images is 96.9 % with it and 96.6 % with the statistics collected during training
        noise, network.noise = network.noise, NO_NOISE
        order = np.random.default_rng(0).permutation(len(self.training.rows))  # rows may be sorted by class
        for k, batch in enumerate(self.training.batches(np.stack([order] * network.members)), start=1):
            for running in network.running:
                running.momentum = 1 / k
            network.forward(batch.X, self.workspace(batch.X.shape[1]), training=True)
        for running in network.running:
            running.momentum = MOMENTUM
        network.noise = noise

    def _train_epoch(self, on_batch_end: Callable[[float], bool] | None) -> tuple[Array, Array, Array]:
        """Train for one epoch; return each member's mean loss, accuracy and penalty, (M,) each.

        Raises:
            _StopEpoch: when `on_batch_end` returns True.
        """
        engine, members, count = self.network.engine, self.network.members, len(self.training.rows)
        # the values of all rows are kept to the end of the epoch: summing batch by batch took a third of a small step
        losses, right = engine.empty(members, count), np.empty((members, count), np.float32)
        penalties, done = np.zeros(members), 0
        for steps in self._steps(one_by_one=on_batch_end is not None):
            rows = steps.losses.shape[1]
            part = slice(done, done + rows)
            losses[:, part], right[:, part] = steps.losses, steps.right
            if steps.penalty is not None:
                penalties += engine.to_numpy(steps.penalty) * (rows / count)
            done += rows
            if on_batch_end and on_batch_end(float(engine.to_numpy(losses[:, part]).mean(dtype=np.float64))):
                raise _StopEpoch
            if done % _LOOK < rows and not np.isfinite(engine.to_numpy(losses[:, part])).any():
                losses[:, done:], right[:, done:] = np.nan, 0  # every member has diverged: the rest is skipped
                break
        return engine.to_numpy(losses).mean(axis=1, dtype=np.float64), right.mean(axis=1, dtype=np.float64), penalties

    def _steps(self, one_by_one: bool) -> Iterator[Steps]:
        """Train on all rows once and yield the results of each batch, or of several batches in compiled code.

        one_by_one: whether compiled code also runs each batch on its own.
        """
        order = self.training.draw_order(self.learner.generators)
        size, count = self.training.batch_size, len(self.training.rows)
        if self._compiled is None:
            for k, batch in enumerate(self.training.batches(order)):
                yield self._step(batch, self._learning_rates(k * size / count))
            return
        # calls of at least _LOOK rows: often enough to detect divergence, rarely enough to cost nothing
        rows = size if one_by_one else size * ceil(_LOOK / size)
        for first in range(0, count, rows):
            starts = range(first, min(first + rows, count), size)
            rates = [self._learning_rates(start / count) for start in starts]
            yield self._compiled.train(order[:, first : first + rows], rates)

    def _learning_rates(self, finished: float) -> Sequence[float]:
        """Return the members' learning rates for the step after this part of the epoch, 0 to 1."""
        learner = self.learner
        factor = learner.schedule.factor(learner.epochs + finished, learner.rows)
        return self.rates.learning_rate if factor == 1 else [factor * rate for rate in self.rates.learning_rate]

    def _step(self, batch: Batch, learning_rates: Sequence[float]) -> Steps:
        """Train on one batch and return its results from before the update."""
        network, engine, optimizer = self.network, self.network.engine, self.learner.optimizer
        assert optimizer is not None
        rows = batch.X.shape[1]
        work = self.workspace(rows)
        z = network.forward(batch.X, work, training=True)
        right = engine.to_numpy(self.task.right(engine.xp, z, batch.y))
        losses = self.loss.value_and_delta(engine.xp, z, batch.T)
        totals = [float(rows)] * network.members
        if batch.weights is not None:
            losses *= batch.weights
            z *= batch.weights[..., None]
            totals = engine.to_numpy(batch.weights).sum(axis=1, dtype=np.float64).tolist()
            if not any(totals):  # all rows of the batch have weight 0: there is no update
                return Steps(engine.zeros(*losses.shape), right, None)
            totals = [total or 1.0 for total in totals]  # a member whose rows all have weight 0
            losses *= engine.asarray([rows / total for total in totals])[:, None]
        rates = self.rates
        decay = [d + a / total for d, a, total in zip(rates.weight_decay, rates.alpha, totals, strict=True)]
        penalty = None if optimizer.decoupled else self._penalty(decay)
        optimizer.begin_step(totals, learning_rates, decay)
        network.backward(z, work, optimizer)
        optimizer.end_step()
        if rates.max_norm is not None:
            for W in network.theta.weights[:-1]:
                limit_norms(engine.xp, W, rates.max_norm)
        self.learner.average.on_step(network)
        return Steps(losses, right, penalty)

    def _penalty(self, decay: Sequence[float]) -> Array | None:
        xp, l1 = self.network.engine.xp, self.rates.l1
        if not any(decay):
            return l1_value(xp, self._weights, l1) if l1 else None
        l2 = l2_value(xp, self._weights, decay)
        return l2 + l1_value(xp, self._weights, l1) if l1 else l2

    def _finite_outputs(self, validation: Measured | None) -> Array:
        """Return whether each member's parameters and its loss after the epoch are finite."""
        theta = self.network.engine.to_numpy(self.network.theta.flat)
        loss = validation.loss if validation else self._loss_of_one_batch()
        pairs = zip(theta, loss, strict=True)
        return np.array([np.isfinite(member).all() and np.isfinite(mean) for member, mean in pairs])

    def _loss_of_one_batch(self) -> Array:
        batch = self.training.first()
        z = self._predictor.logits(batch.X)
        losses = self.network.engine.to_numpy(self.loss.value_and_delta(self.network.engine.xp, z, batch.T))
        total: Array = losses.sum(axis=1, dtype=np.float64)
        return total

    def evaluate(self, reader: BatchReader) -> Measured:
        """Return each member's mean loss in nats and the task's metrics for the reader's rows, weighted."""
        engine, xp = self.network.engine, self.network.engine.xp
        losses, totals = np.zeros((2, self.network.members))
        sums = {metric.name: np.zeros(self.network.members) for metric in self.task.metrics}
        for batch in reader.in_order():
            z = self._predictor.logits(batch.X)
            weights = np.ones(1) if batch.weights is None else engine.to_numpy(batch.weights)
            true = self.task.true(batch.y)
            for metric in self.task.metrics:
                rows = row_values(metric, true, engine.to_numpy(self._predictions(metric, z)))
                sums[metric.name] += (rows * weights).sum(axis=1, dtype=np.float64)
            values = engine.to_numpy(self.loss.value_and_delta(xp, z, batch.T))
            losses += (values * weights).sum(axis=1, dtype=np.float64)
            totals += np.broadcast_to(weights, values.shape).sum(axis=1, dtype=np.float64)
        return Measured(losses / totals, {name: values / totals for name, values in sums.items()})

    def _predictions(self, metric: Metric, z: Array) -> Array:
        """Return the predictions that a metric `needs` from the logits (M, B, C), which are not changed."""
        xp = self.network.engine.xp
        if metric.needs == "labels":
            return self.task.decide(xp, z)
        predicted = self.network.engine.copy(z)
        self.loss.predict(xp, predicted)
        return self.task.probabilities(xp, predicted)

    def workspace(self, rows: int) -> Workspace:
        """Return the arrays for batches of this many rows, the same ones in every call."""
        return self._predictor.workspace(rows)


def row_values(metric: Metric, true: Array, predicted: Array) -> Array:
    """Return the values of a metric that is a mean over rows, (M, B), for M members: true and predicted (M, B, ...)."""
    assert metric.row_values
    flat = (array.reshape(-1, *array.shape[2:]) for array in (true, predicted))  # the rows of all members together
    return metric.row_values(*flat).reshape(true.shape[:2])
