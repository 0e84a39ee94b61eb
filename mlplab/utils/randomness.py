"""Independent random generators for named purposes, derived from one seed.

Two configurations with the same seed use the same rows in the same order, whatever other settings differ. The
difference between their results is therefore paired.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

SPLIT, WEIGHTS, ORDER, NOISE = "split", "weights", "order", "noise"


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator for `purpose` (a name such as ``"weights"``) and `seed` (an integer of at least 0).

    Source: M. O'Neill's seed sequences as in `numpy.random.SeedSequence`; the purpose is its spawn key.
    """
    key = zlib.crc32(purpose.encode())
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def seed_from(random_state: Any) -> int:
    """Return the given seed, a seed drawn from the given generator or, for None, a random seed."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(random_state)
