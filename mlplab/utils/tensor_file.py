"""Files of named arrays and text: safetensors with a SHA-256 of the content. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from stat import S_IMODE
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mlplab.errors import ModelFileError

Tensors = Mapping[str, npt.NDArray[Any]]


def write_tensors(tensors: Tensors, metadata: Mapping[str, str], path: Path) -> None:
    """Write a file for `read_tensors` directly to `path`, not atomically; `metadata` must contain "format"."""
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_tensors(contiguous, path, {**metadata, "sha256": _hash_tensors(metadata, contiguous)})


def save_tensors(tensors: Tensors, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write C-contiguous arrays as a .safetensors file, with the permissions of an ordinary new file.

    safetensors creates its files with mode 0600, so that other users could not read a model.
    """
    path.touch()  # the system sets its mode: 0666 without the umask, or by the folder's ACL
    mode = S_IMODE(path.stat().st_mode)
    save_file(dict(tensors), path, None if metadata is None else dict(metadata))
    path.chmod(mode)


def read_tensors(path: Path, format_name: str, what: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Return the arrays and the metadata of a file.

    Args:
        format_name: the expected "format" in the metadata.
        what: the name of such a file in error messages.

    Raises:
        ModelFileError: for a file that is missing, damaged, truncated or of another format.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is damaged, truncated or not a .safetensors file: {error}") from error
    if metadata.get("format") != format_name:
        found = metadata.get("format", "none")
        raise ModelFileError(
            f"{path} is a .safetensors file, but not a {what} written by mlplab "
            f"(expected format {format_name}; found {found})"
        )
    if metadata.pop("sha256", None) != _hash_tensors(metadata, tensors):
        raise ModelFileError(f"{path} is damaged: its content does not match the SHA-256 stored in it")
    return tensors, metadata


def _hash_tensors(metadata: Mapping[str, str], tensors: Tensors) -> str:
    """Return the SHA-256 of everything in the file."""
    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
