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

#: What may lie in a folder before a run has written its first file: our own, and what a Mac's Finder leaves.
_IGNORED_FILES = (".lock", ".data", ".DS_Store")


def recover_folder(folder: RunFolder, suite: Suite, observer: RunObserver) -> None:
    """Check that the folder belongs to the suite, and remove damaged and half-written files; the observer gets a note.

    Everything removed can be made again from the trials, except the record of earlier test-set evaluations. Only while
    the folder is locked.

    Raises:
        RunFolderError: for a folder that is another's; nothing is changed there.
    """
    damaged, lost = verify_manifest(folder), folder.suite_file.name
    if lost not in damaged and _has_lost_its_suite(folder):
        damaged.append(lost)
    if lost not in damaged:
        held = _check_suite(folder, suite)
        if held and held.fingerprint and held.fingerprint != suite.fingerprint:
            observer.note(f"{suite.source.name} holds other data than before: every network is trained again")
    if folder.search_file.name not in damaged and is_damaged(folder):
        damaged.append(folder.search_file.name)
    folder.remove_unfinished()
    for name in damaged:
        observer.note(f"{folder.path / name} has been modified or damaged; regenerating it")
        (folder.path / name).unlink(missing_ok=True)
    if any(name.startswith(folder.figures.name) for name in damaged):
        folder.drawn_file.unlink(missing_ok=True)  # then all of them are drawn again
    if folder.conclusion_json.name in damaged:
        observer.note("the record of earlier test-set evaluations has been lost")


def _has_lost_its_suite(folder: RunFolder) -> bool:
    """Return whether there are results of a suite, but no suite that can be read."""
    try:
        folder.suite()
    except RunFolderError:
        return any(folder.read_result(path.name) for path in folder.trials.glob("[!.]*"))
    return False


def _check_suite(folder: RunFolder, suite: Suite) -> Suite | None:
    """Return the suite that the folder holds, None where it is empty.

    The data are the same where they lie in the same place or, wherever they lie, hold the same.

    Raises:
        RunFolderError: unless the folder is empty or holds results of this suite on the same rows.
    """
    if not folder.suite_file.is_file():
        found = sorted(path.name for path in folder.path.iterdir() if path.name not in _IGNORED_FILES)
        foreign = [name for name in found if not is_unfinished(name)]
        if foreign:
            raise RunFolderError(
                f"{folder.path} is not a run folder and not empty (it holds {foreign[0]!r}); choose another --out"
            )
        return None
    held = folder.suite()
    for what in ("name", "source", "split", "samples"):
        old, new = getattr(held, what), getattr(suite, what)
        if old != new and not (what == "source" and held.fingerprint == suite.fingerprint):
            raise RunFolderError(
                f"{folder.path} holds the suite {held.name!r} with {what} {_describe(old)}, not {_describe(new)}; "
                "choose another --out"
            )
    return held


def _describe(part: Any) -> str:
    """Return a part of a suite in words."""
    if isinstance(part, Source):
        return part.name if part.target is None else f"{part.name} (target {part.target!r})"
    return "all" if part is None else repr(part)
