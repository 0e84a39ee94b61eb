"""SHA-256 of files, texts, plain data and arrays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_json(content: Any) -> str:
    """Return the SHA-256 of JSON data; the order of keys does not matter."""
    return hash_text(json.dumps(content, sort_keys=True))


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_arrays(*arrays: Any) -> str:
    """Return the SHA-256 of arrays with their shapes and types; each is an array, a sparse matrix or None."""
    found = hashlib.sha256()
    for array in arrays:
        _add(found, array)
    return found.hexdigest()


def _add(found: Any, values: Any) -> None:
    if values is None:
        found.update(b"none")
    elif hasattr(values, "indptr"):  # a sparse matrix, by rows
        for part in (values.data, values.indices, values.indptr):
            _add(found, part)
    else:
        found.update(f"{values.dtype} {values.shape}".encode())
        for start in range(
            0, max(1, len(values) if values.ndim else 1), 10_000
        ):  # in chunks, so that a memory map is not loaded as a whole
            found.update(np.ascontiguousarray(values[start : start + 10_000] if values.ndim else values).tobytes())
