"""Write files and folders atomically."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

#: The suffix of unfinished files and folders. After an interruption, they can be deleted.
UNFINISHED = ".unfinished"
#: The maximum number of seconds to wait for a file that another program holds open.
_PATIENCE = 2.0
_ON_WINDOWS = os.name == "nt"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically: call `write` with a temporary file beside `path`, then rename it to `path`.

    Readers see either the old or the new content, never a part of it, even after a power failure.
    """
    _make_folder(path.parent)
    temporary = _beside(path)
    try:
        write(temporary)
        _sync(temporary)
        _replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_whole(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""))


def write_folder_whole(path: Path, fill: Callable[[Path], object], *, durable: bool = True) -> None:
    """Write a folder as a whole: call `fill` with a new folder beside `path`, then rename it to `path`.

    Readers see either all of the new files or none of them. An old folder is renamed first: if the process is killed
    between the two renames, neither folder is at `path`.

    Args:
        path: the folder to write or replace.
        fill: writes the files into the folder that it is given.
        durable: whether to wait for the disk; if False, files may be truncated after a power failure.
    """
    temporary, old = _beside(path), _beside(path)
    _make_folder(path.parent)
    temporary.mkdir()
    try:
        fill(temporary)
        if durable:
            for file in temporary.iterdir():
                _sync(file)
            _sync_folder(temporary)
        if path.exists():
            _replace(path, old)
        _replace(temporary, path)
        if durable:
            _sync_folder(path.parent)
    finally:
        if old.exists() and not path.exists():  # the second rename failed
            _replace(old, path)
        for folder in (temporary, old):
            if folder.exists():
                shutil.rmtree(folder)


def is_unfinished(name: str) -> bool:
    """Return whether this is the name of an unfinished file or folder."""
    return name.startswith(".") and name.endswith(UNFINISHED)


def remove_unfinished(folder: Path) -> None:
    """Delete unfinished files and folders; nothing may write to the folder at the same time."""
    for path in folder.glob(f".*{UNFINISHED}"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{path.suffix}{UNFINISHED}")


def _replace(source: Path, target: Path) -> None:
    """Rename `source` to `target`; on Windows, wait for a program that holds it open, such as a virus scanner."""
    give_up = monotonic() + _PATIENCE
    while True:
        try:
            source.replace(target)
        except PermissionError:
            if not _ON_WINDOWS or monotonic() >= give_up:
                raise
            sleep(0.05)
        else:
            return


def _sync(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents if they are missing, so that they survive a power failure."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk; otherwise a rename may be lost in a power failure.

    Does nothing where folders cannot be opened or synced: on Windows and some network drives.
    """
    if _ON_WINDOWS:
        return
    with suppress(PermissionError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(opened)
