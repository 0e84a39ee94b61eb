"""Read the IDX format of the MNIST files."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import DataError

#: The type of the values, big-endian, by the third byte of a file.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_MOST_AXES = 32  # the number that every version of NumPy supports


def read_idx(path: Path) -> Array:
    """Return the array in an IDX file, gzip-compressed or not, in native byte order.

    The file contains two zero bytes, the type, the number of axes, their lengths as 32-bit big-endian integers, and the
    values. Source: the description of the format on the MNIST page.

    Raises:
        DataError: for a file that is missing, truncated, too long, or not an IDX file.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise DataError(f"{path} is not an IDX file: its first bytes are {content[:4].hex(' ') or 'missing'}")
    dtype, axes = np.dtype(_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(content[k : k + 4]) for k in range(4, start, 4))
    expected = start + prod(shape) * dtype.itemsize
    if axes > _MOST_AXES or len(content) != expected:
        raise DataError(f"{path} is truncated or damaged: expected {expected} bytes by its header; got {len(content)}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
