"""What is measured: the networks, their batches and data, and how much arithmetic they cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

#: Rows that an epoch passes over. Every batch size divides them, so that no batch is cut short.
ROWS = {"mnist": 10_000, "table": 1_000}
LEARNING_RATES = {"sgd": 0.01, "adam": 0.001}

SMALL, WIDE, DEEP, TABLE = (784, 128, 10), (784, 1024, 10), (784, 1024, 1024, 10), (20, 16, 3)


@dataclass(frozen=True)
class Case:
    """One training to be timed: a network of sigmoid units, trained by cross entropy.

    Attributes:
        data: a key of `ROWS`.
        sizes: inputs, units of every hidden layer, classes.
        solver: "sgd" (without momentum) or "adam".
        batch_size: rows of a step.
        epochs: how many are timed at once: enough that their time is far above the clock's resolution.
    """

    data: str
    sizes: tuple[int, ...]
    solver: str
    batch_size: int
    epochs: int

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{network_name(self.sizes)}, {self.solver}, batch {self.batch_size:,}"

    @property
    def steps(self) -> int:
        """How many steps are timed at once."""
        return self.epochs * ROWS[self.data] // self.batch_size

    @property
    def flop(self) -> int:
        """What one step costs."""
        return training_flop(self.sizes, self.batch_size)


def network_name(sizes: tuple[int, ...]) -> str:
    """Return the network as the project writes it: ``784-128-10``."""
    return "-".join(map(str, sizes))


# forward, ∂loss/∂W and ∂loss/∂a are a product of B·I·O multiplications and as many additions each;
# nobody needs ∂loss/∂a of the input
def training_flop(sizes: tuple[int, ...], rows: int) -> int:
    """Return the floating-point operations of the matrix products that learning from `rows` rows once takes."""
    return 2 * rows * (3 * _weights(sizes) - sizes[0] * sizes[1])


def forward_flop(sizes: tuple[int, ...], rows: int) -> int:
    """Return the same for passing `rows` rows through the network."""
    return 2 * rows * _weights(sizes)


def _weights(sizes: tuple[int, ...]) -> int:
    return sum(i * o for i, o in pairwise(sizes))


_EPOCHS = {  # by network: with batches of 100 rows, of 1,000 rows
    ("mnist", SMALL): (5, 10),
    ("mnist", WIDE): (2, 4),
    ("mnist", DEEP): (1, 2),
    ("table", TABLE): (100, 300),
}
STEP_CASES = tuple(
    Case(data, sizes, solver, batch_size, epochs)
    for (data, sizes), counts in _EPOCHS.items()
    for solver in LEARNING_RATES
    for batch_size, epochs in zip((100, 1000), counts, strict=True)
)
PREDICTED = (SMALL, DEEP)  # the networks whose predictions are timed
PREDICTED_ROWS = 10_000
#: What the contenders are compared by first of all, and what one core and memory are measured with.
FLAGSHIP = Case("mnist", DEEP, "sgd", 100, epochs=1)
REHEARSAL = Case("table", TABLE, "sgd", 100, epochs=1)
