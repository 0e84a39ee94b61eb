"""Write files and folders whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

#: What the names of unfinished files and folders end with; whoever finds one after an interruption may delete it.
UNFINISHED = ".unfinished"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a temporary file beside `path`, then put it in the place of `path` in one step.

    A reader sees the old content or the new, never a part; so does whoever looks after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
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
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        if durable:
            for file in temporary.iterdir():
                _sync(file)
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    finally:
        if old.exists() and not path.exists():  # the new one could not take its place
            old.replace(path)
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


def _sync(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
