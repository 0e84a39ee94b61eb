"""Rows of a data set, their order in an epoch, and the batches they are gathered into; buffers are reused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from mlplab.engine.base import Array, Engine
from mlplab.errors import DataError
from mlplab.utils.hashing import hash_arrays
from mlplab.utils.randomness import SPLIT, generator


@dataclass(frozen=True)
class Rows:
    """N rows of X for training or evaluation. X is never copied and may be larger than memory.

    Attributes:
        X: (K, I), of any number type; images stay uint8, memory maps stay on disk, sparse matrices stay sparse.
        y: (N,) the index of the class of every row, or (N, C) its targets.
        scale: the factor that X is multiplied by when it is gathered.
        weights: (N,) the weight of every row, or None if all are 1.
        numbers: (N,) the rows' indices in X; None uses all rows in their stored order.
    """

    X: Array
    y: Array
    scale: float = 1.0
    weights: Array | None = None
    numbers: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    def at(self, positions: Array) -> Rows:
        """Return the rows at these positions."""
        weights = None if self.weights is None else self.weights[positions]
        return Rows(self.X, self.y[positions], self.scale, weights, self.numbers_at(positions))

    def numbers_at(self, positions: Array) -> Array:
        """Return the indices in X of the rows at these positions."""
        return positions if self.numbers is None else self.numbers[positions]


def hash_rows(*rows: Rows | None) -> str:
    """Return the SHA-256 of rows with their targets and weights."""
    parts = [(r.X, r.y, r.weights, r.numbers, np.array(r.scale)) if r is not None else (None,) for r in rows]
    return hash_arrays(*(part for several in parts for part in several))


@dataclass(frozen=True)
class Batch:
    """Batches of M members: X (M, B, I), targets T (M, B, C), y (M, B) or (M, B, C), weights (M, B) or None."""

    X: Array
    T: Array
    y: Array
    weights: Array | None


class BatchReader:
    """Reads batches of `rows` for M members.

    Args:
        rows: the rows to read.
        targets: (K, C), the target of each class; None where the rows hold targets.
        batch_size: B; the last batch of an epoch may be smaller.
        members: M.

    Attributes:
        rows, targets, batch_size: as above, with the targets as an array of the engine, and B at most the number of
            rows.
    """

    def __init__(self, engine: Engine, rows: Rows, targets: Array | None, batch_size: int, members: int = 1) -> None:
        self.rows, self.batch_size = rows, min(batch_size, len(rows))
        self.targets = None if targets is None else engine.asarray(targets)
        self._engine, self._members = engine, members
        self._buffers: dict[int, tuple[Array, Array]] = {}

    def batches(self, order: Array) -> Iterator[Batch]:
        """Return batches of the rows at the positions `order` (M, R). A batch is valid until the next one is read."""
        return self._in_slices(order)

    def in_order(self) -> Iterator[Batch]:
        """Return the batches of the rows in their stored order, the same for every member."""
        return self.batches(self.stored_order())

    def first(self) -> Batch:
        """Return the first batch of the rows in their stored order."""
        return next(self._in_slices(self.stored_order()))

    def draw_order(self, generators: Sequence[np.random.Generator] | None) -> Array:
        """Return the order in which each member reads the rows in an epoch, (M, N).

        generators: one for each member, to draw a permutation from; None keeps the stored order.
        """
        if generators is None:
            return self.stored_order()
        return np.stack([rng.permutation(len(self.rows)) for rng in generators])

    def stored_order(self) -> Array:
        """Return the order of the rows as they are stored, the same for every member: (M, N), read-only."""
        return np.broadcast_to(np.arange(len(self.rows)), (self._members, len(self.rows)))

    def _in_slices(self, order: Array) -> Iterator[Batch]:
        for start in range(0, order.shape[1], self.batch_size):
            yield self._read(order[:, start : start + self.batch_size])

    def _read(self, index: Array) -> Batch:
        size = index.shape[1]
        table = self.rows.y if self.targets is None else self.targets
        if size not in self._buffers:
            empty = self._engine.empty
            self._buffers[size] = (
                empty(self._members, size, self.rows.X.shape[1]),
                empty(self._members, size, table.shape[1]),
            )
        X, T = self._buffers[size]
        self._engine.gather(self.rows.X, self.rows.numbers_at(index), X, self.rows.scale)
        y = self.rows.y[index]
        self._engine.gather(table, index if self.targets is None else y, T)
        weights = None if self.rows.weights is None else self._engine.asarray(self.rows.weights[index])
        return Batch(X, T, y, weights)


def set_apart(rows: Rows, fraction: float, seed: int, stratify: Array | None) -> tuple[Rows, Rows]:
    """Split the rows with scikit-learn's `train_test_split`; return the training rows and the validation rows.

    stratify: the class of every row, whose shares are kept; None splits at random. The split is also random if there
    are more than two classes and one of them, or one of the two parts, has too few rows.
    """
    from sklearn.model_selection import train_test_split  # takes a second, so only when needed

    aside = int(generator(seed, SPLIT).integers(2**31 - 1))
    if stratify is not None:
        counts, apart = np.unique(stratify, return_counts=True)[1], ceil(fraction * len(rows))
        if len(counts) > 2 and (counts.min() < 2 or min(apart, len(rows) - apart) < len(counts)):
            stratify = None
    train, val = train_test_split(np.arange(len(rows)), test_size=fraction, stratify=stratify, random_state=aside)
    if len(val) < 2:
        raise DataError(
            f"The validation set is too small: validation_fraction={fraction:g} of {len(rows)} rows is less than 2 rows"
        )
    return rows.at(train), rows.at(val)
