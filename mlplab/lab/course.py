"""How the training of a configuration went: whether it ended too soon or too late."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlplab.lab.findings import Course
from mlplab.training.history import History


def course_of(histories: Sequence[History]) -> Course | None:
    """Return what the validation losses of a configuration's networks did, means over its seeds.

    None where there are none, or early stopping decided how many epochs each was trained for.
    """
    losses = [history["val_loss"] for history in histories]
    if len({len(values) for values in losses}) != 1 or not losses[0]:
        return None
    means = np.mean(losses, axis=0)
    best = int(means.argmin())
    return Course(len(means), best + 1, float(means[best]), float(means[-1]))
