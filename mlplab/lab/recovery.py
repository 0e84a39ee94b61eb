"""Check that a run folder belongs to a suite, and remove what is damaged or incomplete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlplab.data.datasets import Source
from mlplab.errors import RunFolderError
from mlplab.lab.search.log import is_damaged
from mlplab.lab.spec.suite import Suite
from mlplab.lab.storage.integrity import verify_manifest
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.utils.atomic import is_unfinished

if TYPE_CHECKING:
    from mlplab.lab.monitoring.observer import RunObserver

#: Files that may be in a folder before a run has written its first file: of mlplab and of the Finder of macOS.
_IGNORED_FILES = (".lock", ".data", ".DS_Store")


def recover_folder(folder: RunFolder, suite: Suite, observer: RunObserver) -> None:
    """Check that the folder belongs to the suite, and remove damaged and half-written files with a note for each.

    All removed files can be regenerated from the trials, except the record of earlier test-set evaluations. The folder
    must be locked.

    Raises:
        RunFolderError: if the folder does not belong to the suite; nothing is changed then.
    """
    damaged, suite_file = verify_manifest(folder), folder.suite_file.name
    if suite_file not in damaged and _has_lost_its_suite(folder):
        damaged.append(suite_file)
    if suite_file not in damaged:
        stored = _check_suite(folder, suite)
        if stored and stored.fingerprint and stored.fingerprint != suite.fingerprint:
            observer.note(f"{suite.source.name} has changed since the last run; training every network again")
    if folder.search_file.name not in damaged and is_damaged(folder):
        damaged.append(folder.search_file.name)
    folder.remove_unfinished()
    for name in damaged:
        observer.note(f"{folder.path / name} has been modified or damaged; regenerating it")
        (folder.path / name).unlink(missing_ok=True)
    if any(name.startswith(folder.figures.name) for name in damaged):
        folder.drawn_file.unlink(missing_ok=True)  # all figures are drawn again
    if folder.conclusion_json.name in damaged:
        observer.note("the record of earlier test-set evaluations has been lost")


def _has_lost_its_suite(folder: RunFolder) -> bool:
    """Return whether the folder has results of trials, but no suite that can be read."""
    try:
        folder.suite()
    except RunFolderError:
        return any(folder.read_result(path.name) for path in folder.trials.glob("[!.]*"))
    return False


def _check_suite(folder: RunFolder, suite: Suite) -> Suite | None:
    """Return the suite in the folder, or None if the folder is empty.

    Two sources are considered the same if they have the same name and target or the same content.

    Raises:
        RunFolderError: if the folder is neither empty nor holds results of this suite on the same rows.
    """
    if not folder.suite_file.is_file():
        found = sorted(path.name for path in folder.path.iterdir() if path.name not in _IGNORED_FILES)
        foreign = [name for name in found if not is_unfinished(name)]
        if foreign:
            raise RunFolderError(
                f"{folder.path} is not empty and not a run folder (it contains {foreign[0]!r}); choose another --out"
            )
        return None
    stored = folder.suite()
    for name in ("name", "source", "split", "samples"):
        old, new = getattr(stored, name), getattr(suite, name)
        if old != new and not (name == "source" and stored.fingerprint == suite.fingerprint):
            raise RunFolderError(
                f"{folder.path} holds the suite {stored.name!r} with {name} {_describe(old)}, not {_describe(new)}; "
                "choose another --out"
            )
    return stored


def _describe(part: Any) -> str:
    """Return a part of a suite in words."""
    if isinstance(part, Source):
        return part.name if part.target is None else f"{part.name} (target {part.target!r})"
    return "all" if part is None else repr(part)
