"""The conclusion of a suite: the facts, from the stored results, with how far they can be trusted."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlplab.engine.base import Array
from mlplab.lab.analysis.depths import compare_depths
from mlplab.lab.analysis.effects import analyze_experiment
from mlplab.lab.analysis.findings import (
    Conclusion,
    Configuration,
    Difference,
    TestEvaluation,
    ValidationCurve,
    Winner,
    WinnerComparison,
    test_evaluations_from_json,
)
from mlplab.lab.analysis.ranking import (
    MAX_COMPARED,
    ValidationValues,
    compare_ranked,
    explore,
    networks_of,
    rank_configurations,
    select_comparable,
)
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.trial import Trial
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import History
from mlplab.utils.atomic import write_text_whole
from mlplab.utils.hashing import hash_text

if TYPE_CHECKING:
    from mlplab.stats.comparison import Comparison

#: A conclusion lists at most this many rivals: the configurations that follow the best one.
_RIVALS = 50

#: Evaluates the networks of one configuration on the test set; returns the metric's value in each row, (seeds, rows).
EvaluateOnTestSet = Callable[[Sequence[Trial]], Array]


def hash_results(rows: Iterable[ResultRow]) -> str:
    """Return a hash of the trials and their statuses, which identifies the results behind a conclusion."""
    lines = sorted({f"{row.experiment.name} {row.trial.id} {row.status}{_progress(row)}" for row in rows})
    return hash_text("\n".join(lines))[:16]


def _progress(row: ResultRow) -> str:
    return f" {row.result.epochs}" if row.result and row.status == Status.PAUSED else ""


def read_conclusion(folder: RunFolder) -> Conclusion | None:
    """Return the conclusion in a run folder, or None if it is missing or cannot be read."""
    try:
        return Conclusion.from_json(_read_json(folder))
    except (ValueError, TypeError, KeyError):
        return None


def _read_json(folder: RunFolder) -> object:
    try:
        return json.loads(folder.conclusion_json.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_conclusion(folder: RunFolder, conclusion: Conclusion) -> None:
    """Write `conclusion.json`."""
    text = json.dumps(conclusion.to_json(), indent=1, allow_nan=False)
    write_text_whole(folder.conclusion_json, f"{text}\n")


def current_conclusion(results: Results) -> Conclusion | None:
    """Return the conclusion of the folder if it was drawn from these results, otherwise None."""
    conclusion = read_conclusion(results.folder)
    return conclusion if conclusion and conclusion.digest == hash_results(results.rows) else None


def is_concluded(results: Results) -> bool:
    """Return whether nothing is left to do: no trial waits or failed, and the conclusion of these results is stored."""
    conclusion = current_conclusion(results)
    if conclusion is None or results.failed:
        return False
    tested = conclusion.winner is not None and conclusion.winner.test is not None
    return results.folder.conclusion_md.is_file() and (not tested or results.folder.chosen_file.is_file())


def draw_conclusion(results: Results, evaluate: EvaluateOnTestSet, cautions: Sequence[str] = ()) -> Conclusion:
    """Return the conclusion from the results.

    Args:
        results: the results of the suite.
        evaluate: called with the trials of the selected configuration once every trial is finished. It is not called
            if the latest stored evaluation is of the same trials and their predictions are stored.
        cautions: notes on the data.
    """
    suite, rows, row_values = results.suite, results.rows, ValidationValues.of(results)
    varying, metric, done = suite.varying(), row_values.metric, results.done
    ranked = rank_configurations(done, metric, varying)
    comparable = select_comparable(ranked, done)
    ranked, compared = _compare(ranked, comparable, done, row_values)
    networks = networks_of(done)[ranked[0].trial] if ranked else []
    evaluations = test_evaluations_from_json(_read_json(results.folder))
    if networks and not any(row.unfinished for row in rows):
        evaluations = _evaluate_once(evaluations, networks, results, evaluate)
    experiments = [experiment for experiment in suite.experiments if not experiment.from_search]
    return Conclusion(
        suite=suite.name,
        title=suite.title,
        metric=metric.name,
        digest=hash_results(rows),
        samples=suite.samples,
        validation_rows=len(row_values(ranked[0].trial)) if ranked else 0,
        winner=_winner(ranked[0], networks, results.folder, evaluations) if ranked else None,
        comparison=_summarize(compared, ranked, comparable, suite.seeds),
        experiments=tuple(analyze_experiment(e, rows, varying, row_values, ranked) for e in experiments),
        search=explore([row for row in rows if row.experiment.from_search], metric, varying),
        depths=tuple(compare_depths(done, [name for name in varying if name != "hidden_layer_sizes"], row_values)),
        test_evaluations=evaluations,
        not_done=tuple(_not_done(rows)),
        cautions=tuple(cautions),
        seconds=_training_seconds([row for row in rows if row.status.is_measured]),
    )


def _compare(
    ranked: list[Configuration],
    comparable: Sequence[Configuration],
    done: Sequence[ResultRow],
    row_values: ValidationValues,
) -> tuple[list[Configuration], Comparison | None]:
    """Compare the best comparable configurations.

    Returns:
        All ranked configurations, with intervals where they were compared; and the comparison, in which the names are
        trial ids. The comparison is None with fewer than two validation rows.
    """
    compared = comparable[:MAX_COMPARED]
    if not compared or len(row_values(compared[0].trial)) < 2:
        return ranked, None
    comparison = compare_ranked(compared, [c.trial for c in compared], done, row_values)
    with_intervals = [
        replace(c, interval=(float(low), float(high)), chance=float(chance))
        for c, (low, high), chance in zip(compared, comparison.intervals, comparison.probability_best, strict=True)
    ]
    by_trial = {c.trial: c for c in with_intervals}
    return [by_trial.get(c.trial, c) for c in ranked], comparison


def _summarize(
    compared: Comparison | None, ranked: Sequence[Configuration], comparable: Sequence[Configuration], seeds: int
) -> WinnerComparison:
    """Return the comparison of the winner with the others; `seeds` is the number of seeds of the suite."""
    if compared is None:
        return WinnerComparison(seeds, (), (), None, None, seeds, 0, 0)
    behind = zip(compared.names, compared.behind.tolist(), compared.margins.tolist(), strict=True)
    differences = {trial: Difference(value, margin, compared.seeds) for trial, value, margin in behind}
    return WinnerComparison(
        seeds=compared.seeds,
        rivals=tuple((c, differences[c.trial]) for c in ranked[1:] if c.trial in differences)[:_RIVALS],
        tied=tuple(compared.tied),
        smallest=next((c for c in ranked if c.trial == compared.smallest), None),
        seeds_needed=compared.seeds_needed,
        seeds_asked=seeds,
        left_out=len(ranked) - len(comparable),
        cut=len(comparable) - len(compared.names),
    )


def _winner(
    best: Configuration, networks: Sequence[Trial], folder: RunFolder, evaluations: Sequence[TestEvaluation]
) -> Winner:
    """Return the winner with its test-set evaluation: that with all its present seeds, or else the latest one."""
    own = [test for test in evaluations if test.trial == best.trial]
    test = next((test for test in own if test.seeds == best.seeds), own[-1] if own else None)
    return Winner(best, average_validation_curve([folder.read_history(trial.id) for trial in networks]), test)


def average_validation_curve(histories: Sequence[History]) -> ValidationCurve | None:
    """Return the mean validation loss of a configuration's networks.

    Returns None without epochs, or if early stopping ended the trainings after different numbers of epochs.
    """
    losses = [history["val_loss"] for history in histories]
    if len({len(values) for values in losses}) != 1 or not losses[0]:
        return None
    means = np.mean(losses, axis=0)
    best = int(means.argmin())
    return ValidationCurve(len(means), best + 1, float(means[best]), float(means[-1]))


def _training_seconds(done: Sequence[ResultRow]) -> float:
    """Return the total training time. The trials of a lineage share one training, so only the longest is counted."""
    longest: dict[str, float] = {}
    for row in done:
        if row.result:
            longest[row.trial.lineage] = max(longest.get(row.trial.lineage, 0.0), row.result.seconds)
    return sum(longest.values())


def _not_done(rows: Sequence[ResultRow]) -> Iterator[tuple[str, str, str]]:
    seen = {row.trial.id: row for row in rows if row.status in (Status.DIVERGED, Status.FAILED) or row.unfinished}
    for row in seen.values():
        error = row.result.error if row.result else None
        yield row.label, str(row.status), error.strip().splitlines()[-1] if error else "not trained yet"


def _evaluate_once(
    evaluations: tuple[TestEvaluation, ...], trials: Sequence[Trial], results: Results, evaluate: EvaluateOnTestSet
) -> tuple[TestEvaluation, ...]:
    """Return the test-set evaluations, with that of these trials added if they have not been evaluated before."""
    earlier = [(test.trial, test.seeds) for test in evaluations]
    current = (trials[0].id, len(trials))
    if earlier and earlier[-1] == current and results.folder.chosen_file.is_file():
        return evaluations
    from mlplab.stats.variance_components import accuracy_interval

    values = evaluate(trials)
    if current in earlier:  # the same networks give the same predictions; the date of the first evaluation is kept
        return evaluations
    means = values.mean(axis=1)
    evaluation = TestEvaluation(
        trial=trials[0].id,
        right=int(values[0].sum()),
        rows=values.shape[1],
        value=float(means.mean()),
        interval=accuracy_interval(values),
        opened=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        seeds=len(trials),
        spread=float(means.std(ddof=1)) if len(trials) > 1 else None,
    )
    return (*evaluations, evaluation)
