"""The manifest of a run folder: the hash of each file outside the folders of trials, to detect modified files.

Each trial has its own hashes, in `trial.json`. A run removes the manifest before it writes anything, so that an
interrupted run does not leave a manifest that does not match.
"""

from __future__ import annotations

import json
from pathlib import Path

from mlplab.lab.storage.run_folder import RunFolder
from mlplab.utils.atomic import write_text_whole
from mlplab.utils.hashing import hash_file


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
