"""Independent random generators for named purposes, all from one seed.

Two configurations with the same seed draw the same split and see the same rows in the same order, whatever
else differs between them: their difference is a paired one.
"""

from __future__ import annotations

import zlib

import numpy as np

SPLIT, WEIGHTS, ORDER = "split", "weights", "order"


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of `purpose` (a name such as ``"weights"``) for `seed` (an integer, 0 or more).

    Source: M. O'Neill's seed sequences as in `numpy.random.SeedSequence`; the purpose is its spawn key.
    """
    key = zlib.crc32(purpose.encode())
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
