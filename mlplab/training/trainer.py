"""The loop over epochs and batches, for M networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from mlplab.engine.numpy_engine import Array
from mlplab.nn.losses import Loss
from mlplab.nn.network import Network, Workspace
from mlplab.nn.optimizers import Optimizer
from mlplab.nn.penalties import l2_value
from mlplab.training.batches import Batch, BatchReader
from mlplab.training.history import Epoch, History

#: Rows of a batch where nothing is learnt: 1,000 fill the matrix product and stay in the cache.
EVALUATION_BATCH = 1000
#: Rows after which training looks whether anything is still finite; every batch would take 2 µs of a small step's 80.
_LOOK = 10_000


@dataclass(frozen=True)
class Rates:
    """What scales the updates, a number for each of the M members: in sequences, for arrays of one cost a µs a touch.

    Attributes:
        learning_rate: of every step.
        alpha: scikit-learn's: adds ½·alpha·‖W‖²/B to the mean loss of a batch of B rows.
        weight_decay: adds ½·weight_decay·‖W‖² to it.
    """

    learning_rate: Sequence[float]
    alpha: Sequence[float]
    weight_decay: Sequence[float]


class Trainer:
    """Trains the members of a network on the same rows, each in an order of its own.

    Args:
        network: changed in place.
        loss, optimizer, rates: how.
        training: what to learn from.
        validation: what to measure on after every epoch, or None.
        generators: one a member, for the order of the rows; None keeps the rows as they lie.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        rates: Rates,
        training: BatchReader,
        validation: BatchReader | None = None,
        generators: Sequence[np.random.Generator] | None = None,
    ) -> None:
        self.network, self.loss, self.optimizer, self.rates = network, loss, optimizer, rates
        self.training, self.validation, self.generators = training, validation, generators
        self.histories = [History() for _ in range(network.members)]
        self._workspaces: dict[int, Workspace] = {}
        self._weights = network.theta.flat[:, : network.theta.weight_count]

    def run(self, epochs: int, on_epoch_end: Callable[[], bool] = lambda: False) -> list[History]:
        """Train for `epochs` epochs and return the members' histories, which grow as it goes.

        It ends early when `on_epoch_end`, called after every epoch, returns True, and when every member's loss has
        stopped being finite (`History.diverged_in`).
        """
        with self.network.engine.quiet():
            for epoch in range(1, epochs + 1):
                started = perf_counter()
                losses, accuracies, penalties = self._train_epoch()
                val = evaluate(self.network, self.loss, self.validation, self._workspace) if self.validation else None
                finite = np.logical_and(np.isfinite(losses + penalties), self._finite_outputs(val))
                for history in (h for h, ok in zip(self.histories, finite, strict=True) if not ok):
                    history.diverged_in = history.diverged_in or epoch
                if all(h.diverged_in for h in self.histories):
                    break
                seconds = perf_counter() - started
                for m, history in enumerate(self.histories):
                    if not history.diverged_in:
                        measured = {"val_loss": float(val[0][m]), "val_accuracy": float(val[1][m])} if val else {}
                        history.epochs.append(
                            Epoch(
                                epoch,
                                float(losses[m]),
                                float(accuracies[m]),
                                **measured,
                                seconds=seconds,
                                objective=float(losses[m] + penalties[m]),
                            )
                        )
                if on_epoch_end():
                    break
        return self.histories

    def _train_epoch(self) -> tuple[Array, Array, Array]:
        """Make one pass; return each member's mean loss, accuracy and penalty, (M,) each."""
        engine, members, count = self.network.engine, self.network.members, len(self.training.rows)
        # what every row gave is kept to the end of the epoch: adding up batch by batch took a third of a small step
        losses, right = engine.empty(members, count), np.empty((members, count), np.bool_)
        penalties, done = np.zeros(members), 0
        for batch in self._batches():
            rows = batch.codes.shape[1]
            part = slice(done, done + rows)
            losses[:, part], right[:, part], penalty = self._step(batch)
            if penalty is not None:
                penalties += engine.to_numpy(penalty) * (rows / count)
            done += rows
            if done % _LOOK < rows and not np.isfinite(engine.to_numpy(losses[:, part])).any():
                losses[:, done:], right[:, done:] = np.nan, False  # every member has diverged: no need to go on
                break
        return engine.to_numpy(losses).mean(axis=1, dtype=np.float64), right.mean(axis=1), penalties

    def _batches(self) -> Iterator[Batch]:
        if self.generators is None:
            return self.training.in_order()
        count = len(self.training.rows)
        return self.training.batches(np.stack([rng.permutation(count) for rng in self.generators]))

    def _step(self, batch: Batch) -> tuple[Array, Array, Array | None]:
        """Learn from one batch.

        Returns every row's loss (M, B), whether it was classified rightly (M, B) and the penalty (M,), or None where
        there is none: all before the update. Weighted losses are scaled so that their mean is the weighted mean.
        """
        network, engine = self.network, self.network.engine
        rows = batch.codes.shape[1]
        work = self._workspace(rows)
        z = network.forward(batch.X, work)
        right = engine.to_numpy(self.loss.decide(engine.xp, z) == batch.codes)
        losses = self.loss.value_and_delta(engine.xp, z, batch.T)
        totals = [float(rows)] * network.members
        if batch.weights is not None:
            losses *= batch.weights
            z *= batch.weights[..., None]
            totals = engine.to_numpy(batch.weights).sum(axis=1, dtype=np.float64).tolist()
            if not any(totals):  # every row of the batch weighs nothing: there is nothing to learn
                return engine.zeros(*losses.shape), right, None
            totals = [total or 1.0 for total in totals]  # a member that learns nothing beside others that do
            losses *= engine.asarray([rows / total for total in totals])[:, None]
        rates = self.rates
        decay = [d + a / total for d, a, total in zip(rates.weight_decay, rates.alpha, totals, strict=True)]
        penalty = l2_value(engine.xp, self._weights, decay) if any(decay) else None
        self.optimizer.begin_step(totals, rates.learning_rate, decay)
        network.backward(z, work, self.optimizer.receive)
        self.optimizer.end_step()
        return losses, right, penalty

    def _finite_outputs(self, validation: tuple[Array, Array] | None) -> Array:
        """Return whether each member still computes numbers: its parameters and its loss on rows after the epoch."""
        theta = self.network.engine.to_numpy(self.network.theta.flat)
        loss = validation[0] if validation else self._loss_of_one_batch()
        pairs = zip(theta, loss, strict=True)
        return np.array([np.isfinite(member).all() and np.isfinite(mean) for member, mean in pairs])

    def _loss_of_one_batch(self) -> Array:
        batch = self.training.first()
        z = self.network.forward(batch.X, self._workspace(batch.codes.shape[1]))
        losses = self.network.engine.to_numpy(self.loss.value_and_delta(self.network.engine.xp, z, batch.T))
        total: Array = losses.sum(axis=1, dtype=np.float64)
        return total

    def _workspace(self, rows: int) -> Workspace:
        if rows not in self._workspaces:
            self._workspaces[rows] = Workspace(self.network, rows)
        return self._workspaces[rows]


def evaluate(
    network: Network, loss: Loss, reader: BatchReader, workspace: Callable[[int], Workspace]
) -> tuple[Array, Array]:
    """Return each member's mean loss in nats and its accuracy on the reader's rows, (M,) each.

    `workspace` returns one for a number of rows; it is used and free again afterwards.
    """
    engine = network.engine
    losses, correct = np.zeros((2, network.members))
    for batch in reader.in_order():
        z = network.forward(batch.X, workspace(batch.codes.shape[1]))
        correct += engine.to_numpy(loss.decide(engine.xp, z) == batch.codes).sum(axis=1)
        losses += engine.to_numpy(loss.value_and_delta(engine.xp, z, batch.T)).sum(axis=1, dtype=np.float64)
    return losses / len(reader.rows), correct / len(reader.rows)
