"""The report of a run, written into its folder: `conclusion.md` and the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlplab.errors import RunFolderError
from mlplab.lab.analysis.conclusion import current_conclusion, hash_results, write_conclusion
from mlplab.lab.analysis.findings import Conclusion
from mlplab.lab.report.conclusion import describe_conclusion
from mlplab.lab.report.markdown import to_markdown
from mlplab.lab.storage.integrity import remove_manifest, verify_manifest, write_manifest
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.utils.atomic import write_text_whole

if TYPE_CHECKING:
    from mlplab.data import Dataset


def store_conclusion(folder: RunFolder, conclusion: Conclusion) -> None:
    """Write a new conclusion as JSON and as text.

    A test-set evaluation is recorded before its result is written as text. The digest, without which a conclusion is
    not valid, is written last: if the run is interrupted in between, the next one draws the conclusion again.
    """
    write_conclusion(folder, replace(conclusion, digest=""))
    _write_text(folder, conclusion)
    write_conclusion(folder, conclusion)


def rewrite_report(results: Results, dataset: Dataset | None) -> list[Path]:
    """Write the text of the conclusion and all figures again from the stored results, and return the files.

    The folder must be locked. There is no text if no conclusion was drawn from these results yet.

    Args:
        results: the results of the suite.
        dataset: the data set, or None if its rows are not images.

    Raises:
        RunFolderError: if another file was modified or damaged since a run wrote it; nothing is changed then.
    """
    folder = results.folder
    own = (folder.conclusion_md.name, f"{folder.figures.name}/")  # which are written again
    if damaged := [name for name in verify_manifest(folder) if not name.startswith(own)]:
        path = folder.path / damaged[0]
        raise RunFolderError(f"{path} has been modified or damaged; run the suite again to restore it")
    remove_manifest(folder)
    conclusion = current_conclusion(results)
    written = [_write_text(folder, conclusion)] if conclusion else []
    written += _draw(results, lambda: dataset)
    write_manifest(folder)
    return written


def draw_missing_figures(results: Results, load: Callable[[], Dataset | None]) -> None:
    """Draw the figures, unless those in the folder show these results already; see `rewrite_report`."""
    if results.folder.drawn_digest() != hash_results(results.rows):
        _draw(results, load)


def _write_text(folder: RunFolder, conclusion: Conclusion) -> Path:
    write_text_whole(folder.conclusion_md, to_markdown(describe_conclusion(conclusion)))
    return folder.conclusion_md


def _draw(results: Results, load: Callable[[], Dataset | None]) -> list[Path]:
    from mlplab.lab.report.figures import draw_figures  # matplotlib takes a second to import

    return draw_figures(results, load())
