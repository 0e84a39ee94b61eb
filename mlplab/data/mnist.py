"""The complete MNIST data set, which is part of the package.

The file contains the 60,000 official training images, the 10,000 official test images (784 bytes each) and their 70,000
labels (one byte each). LZMA compresses them to 9.2 MB; the four original gzip files have 11.4 MB. The file was written
by `pack`.

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
    """Return X (70,000, 784) uint8 and y (70,000,) uint8, read-only, the 60,000 training images first.

    Raises:
        DataError: if the file in the package is damaged.
    """
    try:
        content = lzma.decompress(PATH.read_bytes())
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise DataError(f"{PATH} cannot be read ({error}); reinstall mlplab") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"{PATH} is damaged: its SHA-256 is not that of MNIST; reinstall mlplab")
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
    # pixels have no alignment: without literal context and position bits, the file is 3 % smaller than by default
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]
    PATH.write_bytes(lzma.compress(content, filters=filters))
    return hashlib.sha256(content).hexdigest()
