from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[[np.ndarray], bytes]:
    """Return an array in the IDX format, written from the format's description."""
    types = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}

    def encode(array):
        head = bytes([0, 0, types[array.dtype.name], array.ndim])
        lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
        return head + lengths + array.astype(array.dtype.newbyteorder(">")).tobytes()

    return encode


@pytest.fixture(scope="session")
def flip() -> Callable[[Path, int], None]:
    """Damage a file: flip some bits of the byte at a position."""

    def damage(path, position, mask=0x15):
        content = bytearray(path.read_bytes())
        content[position] ^= mask
        path.write_bytes(content)

    return damage
