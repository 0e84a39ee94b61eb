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
    COMPARED,
    ValidationValues,
    compare_ranked,
    explore,
    networks_of,
    rank_configurations,
    with_the_seeds_of_the_best,
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

#: The number of rivals that are kept: the next best configurations.
_RIVALS = 50

#: Evaluates the networks of one configuration on the test set: returns each row's value of the metric, (seeds, rows).
EvaluateOnTestSet = Callable[[Sequence[Trial]], Array]


def hash_results(rows: Iterable[ResultRow]) -> str:
    """Return a hash of the trials with their status: what a conclusion is drawn from."""
    found = sorted({f"{row.experiment.name} {row.trial.id} {row.status}{_progress(row)}" for row in rows})
    return hash_text("\n".join(found))[:16]


def _progress(row: ResultRow) -> str:
    return f" {row.result.epochs}" if row.result and row.status == Status.PAUSED else ""


def read_conclusion(folder: RunFolder) -> Conclusion | None:
    """Return the conclusion that a folder holds, None where there is none that can be read."""
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


def is_concluded(results: Results) -> bool:
    """Return whether the folder's conclusion was drawn from these results."""
    folder, held = results.folder, read_conclusion(results.folder)
    if held is None or held.digest != hash_results(results.rows) or results.failed:
        return False
    tested = held.winner is not None and held.winner.test is not None
    return folder.conclusion_md.is_file() and (not tested or folder.chosen_file.is_file())


def draw_conclusion(results: Results, evaluate: EvaluateOnTestSet, cautions: Sequence[str] = ()) -> Conclusion:
    """Return the conclusion that the results allow.

    Args:
        evaluate: called for the trials of the chosen configuration, unless they were evaluated on the test set before.
        cautions: notes on the data.
    """
    suite, rows, row_values = results.suite, results.rows, ValidationValues.of(results)
    varying, metric, done = suite.varying(), row_values.metric, results.done
    ranked = rank_configurations(done, metric, varying)
    comparable = with_the_seeds_of_the_best(ranked, done)
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
    """Compare the best of the comparable configurations; return all with their intervals, and the comparison.

    Its names are those of trials.
    """
    compared = comparable[:COMPARED]
    if not compared or len(row_values(compared[0].trial)) < 2:
        return ranked, None
    found = compare_ranked(compared, [c.trial for c in compared], done, row_values)
    with_intervals = [
        replace(c, interval=(float(low), float(high)), chance=float(chance))
        for c, (low, high), chance in zip(compared, found.intervals, found.probability_best, strict=True)
    ]
    by_trial = {c.trial: c for c in with_intervals}
    return [by_trial.get(c.trial, c) for c in ranked], found


def _summarize(
    compared: Comparison | None, ranked: Sequence[Configuration], comparable: Sequence[Configuration], seeds: int
) -> WinnerComparison:
    """Return the comparison with the winner; `seeds` is the number that the suite has."""
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
    """Return the winner, with its evaluation on the test set of all seeds it has now, or else of those of before."""
    mine = [test for test in evaluations if test.trial == best.trial]
    test = next((test for test in mine if test.seeds == best.seeds), mine[-1] if mine else None)
    return Winner(best, average_validation_curve([folder.read_history(trial.id) for trial in networks]), test)


def average_validation_curve(histories: Sequence[History]) -> ValidationCurve | None:
    """Return the validation loss of a configuration's networks, a mean over its seeds.

    None where there are none, or where early stopping decided how many epochs each was trained for.
    """
    losses = [history["val_loss"] for history in histories]
    if len({len(values) for values in losses}) != 1 or not losses[0]:
        return None
    means = np.mean(losses, axis=0)
    best = int(means.argmin())
    return ValidationCurve(len(means), best + 1, float(means[best]), float(means[-1]))


def _training_seconds(done: Sequence[ResultRow]) -> float:
    """Return the time that training took; trials that are the beginning of another one cost nothing of their own."""
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
    """Evaluate the trials of a configuration on the test set, unless they were before; no evaluation is forgotten."""
    before = [(test.trial, test.seeds) for test in evaluations]
    these = (trials[0].id, len(trials))
    if before and before[-1] == these and results.folder.chosen_file.is_file():
        return evaluations
    from mlplab.stats.variance_components import accuracy_interval

    values = evaluate(trials)
    if these in before:  # the same networks again: the same answers, the first date
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
