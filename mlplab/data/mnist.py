"""MNIST, complete, in the package.

The file holds the 60,000 official training images and then the 10,000 official test images, 784 bytes each, and then
their 70,000 labels, a byte each: LZMA makes 9.2 MB of it, where the four gzip files it was made from have 11.4. It was
made by `pack`.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import numpy as np

from mlplab.data.idx import read_idx
from mlplab.engine.base import Array
from mlplab.errors import DataError

PATH = Path(__file__).parent / "mnist.xz"
SHA256 = "c2069063c1105f2bf96266aef1ff68c6e13bdda7a54e37bf19c16f1db24efc83"
TRAIN, TEST, PIXELS = 60_000, 10_000, 784


def load_mnist() -> tuple[Array, Array]:
    """Return X (70,000, 784) uint8 and y (70,000,) uint8, read-only: the 60,000 training images first.

    Raises:
        DataError: when the package's file is damaged.
    """
    try:
        content = lzma.decompress(PATH.read_bytes())
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise DataError(f"{PATH} cannot be read ({error}): install mlplab again") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"{PATH} is damaged: its SHA-256 is not the one of MNIST; install mlplab again")
    flat, rows = np.frombuffer(content, np.uint8), TRAIN + TEST
    return flat[: rows * PIXELS].reshape(rows, PIXELS), flat[rows * PIXELS :]


def pack(directory: Path) -> str:
    """Write `PATH` from the four gzipped IDX files in `directory`; return the SHA-256 of the content."""
    parts = [
        read_idx(directory / f"{part}-{kind}-ubyte.gz").tobytes()
        for kind in ("images-idx3", "labels-idx1")
        for part in ("train", "t10k")
    ]
    content = b"".join(parts)
    # no literal context bits and no position bits: pixels have no alignment. 3 % smaller than LZMA's own defaults.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]
    PATH.write_bytes(lzma.compress(content, filters=filters))
    return hashlib.sha256(content).hexdigest()
