"""Independent random generators for named purposes, all from one seed.

Two configurations with the same seed see the same rows in the same order, whatever else differs between them: their
difference is a paired one.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

SPLIT, WEIGHTS, ORDER, NOISE = "split", "weights", "order", "noise"


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of `purpose` (a name such as ``"weights"``) for `seed` (an integer, 0 or more).

    Source: M. O'Neill's seed sequences as in `numpy.random.SeedSequence`; the purpose is its spawn key.
    """
    key = zlib.crc32(purpose.encode())
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def seed_from(random_state: Any) -> int:
    """Return a seed: the given one, one drawn from a generator, or a fresh one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(random_state)
