"""Comparison of the configurations in a run folder."""

from __future__ import annotations

from dataclasses import replace

from mlplab.errors import RunFolderError, SettingError, nearest, one_of
from mlplab.lab.analysis.ranking import (
    MAX_COMPARED,
    ValidationValues,
    compare_ranked,
    rank_configurations,
    select_comparable,
)
from mlplab.lab.spec.status import Status
from mlplab.lab.storage.results import Results
from mlplab.stats.comparison import Comparison


def compare_stored(
    results: Results, *, experiment: str | None = None, confidence: float = 0.95, margin: float = 0.0
) -> Comparison:
    """Compare the configurations in a run folder; see `mlplab.lab.compare_results`."""
    experiments = {e.name: e for e in results.suite.experiments if not e.from_search}
    no_results = RunFolderError(
        f"{results.folder.path}: nothing to compare, because no network has been trained to its end yet"
    )
    if not experiments:
        raise no_results
    if experiment is not None and experiment not in experiments:
        raise SettingError(
            f"experiment must be {one_of(experiments)}; got {experiment!r}{nearest(experiment, experiments)}"
        )
    chosen = [row for row in results.rows if row.experiment.name in ([experiment] if experiment else experiments)]
    done = [row for row in chosen if row.status == Status.DONE]
    varied = results.suite.varying()
    varying = [name for name in varied if experiment is None or name in experiments[experiment].varied]
    row_values = ValidationValues.of(results)
    ranked = rank_configurations(done, row_values.metric, varying)
    if not ranked:
        raise no_results
    compared = select_comparable(ranked, done)[:MAX_COMPARED]
    names = [configuration.name for configuration in compared]
    comparison = compare_ranked(compared, names, done, row_values, confidence=confidence, margin=margin)
    return replace(comparison, left_out=len({row.trial.configuration for row in chosen}) - len(compared))
