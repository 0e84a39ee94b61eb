"""Whether what a run folder tells is still what was written: a digest of every file that is no trial's.

Trials carry their own digests (`trial.json`). The seals are gone while a run is at work: one that is killed leaves none
behind that do not fit.
"""

from __future__ import annotations

import json
from pathlib import Path

from mlplab.lab.storage.run_folder import RunFolder
from mlplab.utils.atomic import write_text_whole
from mlplab.utils.hashing import hash_file


def write_manifest(folder: RunFolder) -> None:
    """Write down what the files of a folder are now."""
    files = {path.relative_to(folder.path).as_posix(): hash_file(path) for path in _sealed(folder)}
    write_text_whole(_file(folder), json.dumps(files, indent=1) + "\n")


def verify_manifest(folder: RunFolder) -> list[str]:
    """Return the files that are missing or other than when they were sealed, by their names in the folder."""
    try:
        sealed = json.loads(_file(folder).read_bytes())
        # a folder may come from a stranger, and what is broken is deleted: never anything else than what is sealed here
        mine = {name: digest for name, digest in sealed.items() if _is_ours(folder.path / name, folder)}
        return [name for name, digest in mine.items() if not _is(folder.path / name, digest)]
    except (OSError, ValueError, AttributeError, TypeError):
        return []  # no seals, or damaged ones: nothing is known


def remove_manifest(folder: RunFolder) -> None:
    """Take the seals away, before anything is written."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: RunFolder) -> Path:
    return folder.path / ".seals.json"


def _sealed(folder: RunFolder) -> list[Path]:
    return [path for path in [*_single(folder), *sorted(folder.figures.glob("[!.]*"))] if path.is_file()]


def _single(folder: RunFolder) -> list[Path]:
    files = [folder.suite_file, folder.search_file, folder.results_file, folder.chosen_file]
    return [*files, folder.conclusion_md, folder.conclusion_json]


def _is_ours(path: Path, folder: RunFolder) -> bool:
    return (path in _single(folder) or path.parent == folder.figures) and not path.is_dir()


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and hash_file(path) == digest
