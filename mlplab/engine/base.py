"""What an engine offers: where arrays live, and the operations on them that differ from engine to engine.

`mlplab.nn` and `mlplab.training` use an engine through `Engine` only; `mlplab.training.build.build_engine` chooses the
implementation. To add an engine, implement `Engine` in a module of this package. Its arrays must allow assignment in
place (``a[...] = b``, ``a *= b``), because the formulas in `mlplab.nn` write into arrays that are allocated once.

Shapes are written as in docs/architecture.md: M members, B rows, I inputs, O outputs of a layer, C outputs of the
network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

#: An array of any engine; with the NumPy engine, a NumPy array.
Array = npt.NDArray[Any]
#: One factor for all members, or one for each of the M members.
Factor = float | Sequence[float]


def is_array(value: object) -> bool:
    """Return whether `value` is an array of any engine. NumPy's scalars are not: they cannot be assigned in place."""
    return all(hasattr(value, name) for name in ("shape", "dtype", "__setitem__"))


class Engine(Protocol):
    """What the networks, the optimizers, the averages, the batches and the checkpoints need of an engine.

    An engine can be pickled and deep-copied; the copy computes the same bits.
    """

    @property
    def xp(self) -> Any:
        """The array functions that the formulas in `mlplab.nn` are written with, under NumPy's names."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that everything is computed in, float32 or float64."""

    def identity(self) -> str:
        """Return what the bits of a result depend on besides the settings: the library or kernel of the products."""

    # ---- arrays ----------------------------------------------------------------------------------------------------

    def empty(self, *shape: int) -> Array:
        """Return a new array of the engine's dtype whose values are undefined."""

    def zeros(self, *shape: int) -> Array:
        """Return a new array of zeros of the engine's dtype."""

    def row_stride(self, columns: int) -> int:
        """Return how many elements apart the rows of a matrix (rows, columns) are laid, at least `columns`."""

    def matrices(self, members: int, rows: int, columns: int) -> Array:
        """Return new matrices (members, rows, columns) for products, undefined, their rows apart by `row_stride`."""

    def asarray(self, values: npt.ArrayLike) -> Array:
        """Return `values` as an array of the engine, in its dtype and C-ordered, copied only where necessary."""

    def to_numpy(self, array: Array) -> Array:
        """Return `array` as a NumPy array, which may share its memory."""

    def copy(self, array: Array) -> Array:
        """Return a copy of `array`, of its shape and dtype, in memory of its own."""

    def gather(self, source: Any, rows: Array, out: Array, scale: float = 1.0) -> None:
        """Write ``scale · source[rows]`` into `out` in place.

        Args:
            source: (N, K), on the host, of any number type; dense, a memory map, or sparse by rows.
            rows: (M, B) indices from 0 to N - 1; not checked.
            out: (M, B, K) of the engine's dtype.
        """

    # ---- computing -------------------------------------------------------------------------------------------------

    def matmul(
        self,
        A: Array,
        B: Array,
        out: Array,
        transpose_a: bool = False,
        transpose_b: bool = False,
        alpha: Factor = 1.0,
        beta: Factor = 0.0,
    ) -> None:
        """Compute ``out ← alpha·op(A)·op(B) + beta·out`` for each member, in place.

        op(A) is (M, rows, inner), op(B) (M, inner, columns), out (M, rows, columns); op transposes the matrices where
        requested. All are of the engine's dtype, and the rows of a matrix may lie apart. With ``beta = 0`` the values
        that `out` held before are not read, not even NaN.
        """

    def for_each(self, work: Callable[[Any], None], items: Sequence[Any]) -> None:
        """Call `work` once with every item, perhaps on several threads; errors are raised here.

        For element-wise passes over blocks of parameters: no item may read what `work` changes for another.
        """

    def quiet(self) -> AbstractContextManager[object]:
        """Return a context in which overflow gives infinity, and invalid operations NaN, without a warning."""

    # ---- random numbers --------------------------------------------------------------------------------------------

    def random_mask(self, generators: Sequence[np.random.Generator], threshold: int, out: Array) -> None:
        """Write 1 where a random number from 0 to 65,535 is at least `threshold`, and 0 elsewhere, into `out`.

        Each member of out (M, B, O) takes B·O numbers of 16 bits from its own generator, so that every engine draws the
        same masks and leaves the generators in the same state.
        """

    def standard_normal(self, generator: np.random.Generator, *shape: int) -> Array:
        """Return a new array of normal numbers of mean 0 and variance 1, drawn in the engine's dtype."""

    # ---- compiled code ---------------------------------------------------------------------------------------------

    def compile(
        self,
        network: Any,
        loss: Any,
        optimizer: Any = None,
        *,
        task: Any = None,
        rates: Any = None,
        average: Any = None,
        training: Any = None,
    ) -> CompiledNetwork | None:
        """Return a network that runs in compiled code, or None where this engine has none for these parts.

        None is always right: the formulas in `mlplab.nn` then run one by one. An engine returns None for any part that
        it does not know exactly, such as a part of the user's own. Called for each training and each prediction, so an
        engine keeps what takes long to prepare.

        Args:
            network: `mlplab.nn.network.Network`.
            loss: `mlplab.nn.losses.Loss`.
            optimizer: `mlplab.nn.optimizers.Optimizer`. None compiles predictions only; the arguments below are then
                None too.
            task: `mlplab.training.tasks.Task`: when a row is right.
            rates: `mlplab.training.trainer.Rates`: penalties and limits of the weights.
            average: `mlplab.training.averaging.WeightAverage`: updated after every step.
            training: `mlplab.training.batches.BatchReader`: the rows, their targets and weights, the batch size.
        """


class Steps(NamedTuple):
    """The measures of consecutive steps over R rows in all, each batch measured before its update.

    Attributes:
        losses: (M, R) the loss of every row, in the order in which the rows were read. Weighted losses are scaled so
            that the mean of a batch is its weighted mean.
        right: (M, R) of NumPy: whether each row was right, or what counts for it.
        penalty: (M,) the mean penalty of the batches, weighted by their rows; None where there is no penalty.
    """

    losses: Array
    right: Array
    penalty: Array | None


class CompiledNetwork(Protocol):
    """A network whose steps and predictions run in compiled code, with the results of the formulas in `mlplab.nn`.

    It keeps no state between calls. It reads the parameters, the optimizer's states, the average and the generators of
    the noise from the objects that it was compiled from, and before a call returns they hold the new values: callbacks
    may read and change them, and checkpoints hold the same state for every engine.
    """

    def train(self, order: Array, learning_rates: Sequence[Sequence[float]]) -> Steps:
        """Learn from the rows at `order`, batch after batch: a single batch, several, or a whole epoch.

        Args:
            order: (M, R) the positions of the rows in the training set. All batches have the reader's batch size except
                the last, which may be smaller.
            learning_rates: for each batch, those of the M members.
        """

    def logits(self, X: Array) -> Array:
        """Return the logits (M, B, C) of the rows X (M, B, I), without noise.

        The array is the caller's to change; the next call may overwrite it. X is of the engine's dtype and is not
        changed.
        """
