"""Integrity of a run folder: the hashes of its files are written and checked here, so that damage is noticed.

`trial.json` and `search.json` end with the SHA-256 of their own content, and `trial.json` lists the size and the
SHA-256 of the other files of its trial. The manifest has the SHA-256 of the files that lie directly in the run folder,
and of its figures. A run removes the manifest before it writes anything, so that an interrupted run does not leave one
that does not match.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlplab.utils.atomic import write_text_whole
from mlplab.utils.hashing import hash_file, hash_json

if TYPE_CHECKING:  # which reads and writes its trials with these functions
    from mlplab.lab.storage.run_folder import RunFolder


def encode_json(content: Mapping[str, Any], **options: Any) -> str:
    """Return JSON that ends with the SHA-256 of its content; `options` are those of `json.dumps`."""
    return json.dumps({**content, "sha256": hash_json(content)}, **options) + "\n"


def decode_json(text: bytes) -> dict[str, Any]:
    """Return the content of what `encode_json` returned.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: if the text is damaged.
    """
    content: dict[str, Any] = json.loads(text)
    if content.pop("sha256") != hash_json(content):
        raise ValueError("the content does not have the SHA-256 that is written in it")
    return content


def describe_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the size and the SHA-256 of each file in a folder, by name."""
    return {file.name: (file.stat().st_size, hash_file(file)) for file in sorted(folder.iterdir())}


def verify_files(folder: Path, files: Mapping[str, tuple[int, str]], *, thorough: bool) -> bool:
    """Return whether the files in a folder are those that `describe_files` found.

    thorough: whether to compare the SHA-256 of every file; otherwise only sizes are compared.

    Raises:
        OSError: if a file is missing.
    """
    return all(
        (folder / name).stat().st_size == size and (not thorough or hash_file(folder / name) == digest)
        for name, (size, digest) in files.items()
    )


def write_manifest(folder: RunFolder) -> None:
    """Write the manifest of the present files of a run folder."""
    files = {path.relative_to(folder.path).as_posix(): hash_file(path) for path in _present_files(folder)}
    write_text_whole(_file(folder), json.dumps(files, indent=1) + "\n")


def verify_manifest(folder: RunFolder) -> list[str]:
    """Return the files of the manifest that are missing or modified, by their names in the run folder.

    The list is empty if the manifest is missing or damaged.
    """
    try:
        manifest = json.loads(_file(folder).read_bytes())
        # Modified files are deleted later, and a run folder may come from an untrusted source: any other name is
        # ignored.
        listed = {name: digest for name, digest in manifest.items() if _may_be_listed(folder.path / name, folder)}
        return [name for name, digest in listed.items() if not _matches(folder.path / name, digest)]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def remove_manifest(folder: RunFolder) -> None:
    """Remove the manifest; a run does so before it writes anything."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: RunFolder) -> Path:
    return folder.path / ".seals.json"


def _present_files(folder: RunFolder) -> list[Path]:
    return [path for path in [*_single_files(folder), *sorted(folder.figures.glob("[!.]*"))] if path.is_file()]


def _single_files(folder: RunFolder) -> list[Path]:
    files = [folder.suite_file, folder.search_file, folder.results_file, folder.chosen_file]
    return [*files, folder.conclusion_md, folder.conclusion_json]


def _may_be_listed(path: Path, folder: RunFolder) -> bool:
    return (path in _single_files(folder) or path.parent == folder.figures) and not path.is_dir()


def _matches(path: Path, digest: str) -> bool:
    return path.is_file() and hash_file(path) == digest
