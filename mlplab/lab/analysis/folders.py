"""The configurations of a run folder, compared by what their networks got right of the validation rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from mlplab.errors import RunFolderError, SettingError, nearest, one_of
from mlplab.lab.analysis.ranking import (
    COMPARED,
    compare_ranked,
    rank_configurations,
    with_the_seeds_of_the_best,
)
from mlplab.lab.search.log import expand_search
from mlplab.lab.spec.status import Status
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.stats.comparison import Comparison


def compare_results(
    path: str | Path, *, experiment: str | None = None, confidence: float = 0.95, margin: float = 0.0
) -> Comparison:
    """Compare the configurations in a run folder, as `compare_configurations` does.

    Those whose seeds are not those of the best are left out, and counted, and so are all but the best 500. Of a search,
    the finalists are compared.

    Args:
        experiment: the name of one, to compare its configurations alone; None takes all.
        confidence, margin: see there.

    Raises:
        RunFolderError: for a folder that is none, is damaged, or where no network was trained to its end.
        SettingError: for an experiment that is not there, a confidence or a margin that is none.
    """
    folder = RunFolder(Path(path))
    suite = expand_search(folder.suite().bind(), folder)
    experiments = {e.name: e for e in suite.experiments if not e.from_search}
    if not experiments:
        raise _nothing(folder)
    if experiment is not None and experiment not in experiments:
        raise SettingError(
            f"experiment must be {one_of(experiments)}; got {experiment!r}{nearest(experiment, experiments)}"
        )
    rows = folder.rows(suite, folder.read_labels())
    chosen = [row for row in rows if row.experiment.name in ([experiment] if experiment else experiments)]
    done = [row for row in chosen if row.status == Status.DONE]
    varying = [name for name in suite.varying() if experiment is None or name in experiments[experiment].varied]
    ranked = rank_configurations(done, varying)
    if not ranked:
        raise _nothing(folder)
    compared = with_the_seeds_of_the_best(ranked, done)[:COMPARED]
    names = [configuration.name for configuration in compared]
    found = compare_ranked(compared, names, done, cache(folder.read_correct), confidence=confidence, margin=margin)
    return replace(found, left_out=len({row.trial.configuration for row in chosen}) - len(compared))


def _nothing(folder: RunFolder) -> RunFolderError:
    return RunFolderError(f"{folder.path}: no network was trained to its end yet, so there is nothing to compare")
