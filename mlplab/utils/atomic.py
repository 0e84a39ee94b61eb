"""Write files and folders whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

#: What the names of unfinished files and folders end with; whoever finds one after an interruption may delete it.
UNFINISHED = ".unfinished"
#: How many seconds a file that another program holds open is waited for.
_PATIENCE = 2.0
_ON_WINDOWS = os.name == "nt"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a temporary file beside `path`, then put it in the place of `path` in one step.

    A reader sees the old content or the new, never a part; so does whoever looks after a power cut.
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
    """Write a text file whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""))


def write_folder_whole(path: Path, fill: Callable[[Path], object], *, durable: bool = True) -> None:
    """Let `fill` put files into a new folder beside `path`, then put it in the place of `path`.

    A reader sees all the new files or none of them. If the process is killed in the moment between, the old folder is
    gone already.

    Args:
        durable: whether to wait for the disk; if not, files may be cut short after a power cut.
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
        if old.exists() and not path.exists():  # the new one could not take its place
            _replace(old, path)
        for folder in (temporary, old):
            if folder.exists():
                shutil.rmtree(folder)


def is_unfinished(name: str) -> bool:
    """Return whether a file or folder of this name is what an interrupted write left."""
    return name.startswith(".") and name.endswith(UNFINISHED)


def remove_unfinished(folder: Path) -> None:
    """Delete what an interrupted write left in a folder; only while nobody writes there."""
    for path in folder.glob(f".*{UNFINISHED}"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{path.suffix}{UNFINISHED}")


def _replace(source: Path, target: Path) -> None:
    """Put `source` in the place of `target`; on Windows, wait a while for another program that holds it open.

    A spreadsheet or a virus scanner does so, most of them for a moment.
    """
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
    """Make a folder and those it lies in, if they are missing, so that they are there after a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: a rename alone may be gone after a power cut.

    Nothing is done where a folder cannot be opened or synced: on Windows, on some network drives.
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
