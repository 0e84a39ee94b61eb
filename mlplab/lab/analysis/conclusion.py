"""What a suite showed: the facts, from the stored results, with how far they can be trusted."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.lab.analysis.depths import compare_depths
from mlplab.lab.analysis.effects import analyze_experiment
from mlplab.lab.analysis.findings import Conclusion, Configuration, Difference, Test, ValidationCurve
from mlplab.lab.analysis.ranking import Correct, explore, networks_of, rank_configurations, with_the_seeds_of_the_best
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Suite
from mlplab.lab.spec.trial import Trial
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import History
from mlplab.utils.atomic import write_text_whole
from mlplab.utils.hashing import hash_text

if TYPE_CHECKING:
    from mlplab.stats.comparison import Comparison

#: How many of the next best configurations are compared with the best.
_RIVALS = 50


def digest_of(rows: Iterable[ResultRow]) -> str:
    """Return a hash of the trials with their status: what a conclusion stands on."""
    found = sorted({f"{row.experiment.name} {row.trial.id} {row.status}{_progress(row)}" for row in rows})
    return hash_text("\n".join(found))[:16]


def _progress(row: ResultRow) -> str:
    return f" {row.result.epochs}" if row.result and row.status == Status.PAUSED else ""


def read_conclusion(folder: RunFolder) -> dict[str, Any]:
    """Return the content of ``conclusion.json``, empty where there is none."""
    try:
        content = json.loads(folder.conclusion_json.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_concluded(folder: RunFolder, rows: Sequence[ResultRow]) -> bool:
    """Return whether the folder's conclusion was drawn from these rows."""
    held = read_conclusion(folder)
    files = folder.conclusion_md.is_file() and (held.get("test") is None or folder.chosen_file.is_file())
    return files and held.get("digest") == digest_of(rows) and not any(row.unfinished or row.failed for row in rows)


def write_conclusion(
    folder: RunFolder,
    suite: Suite,
    rows: Sequence[ResultRow],
    open_test: Callable[[Sequence[Trial]], Array],
    render: Callable[[Conclusion], str],
    cautions: Sequence[str] = (),
) -> Conclusion:
    """Draw the conclusion and write it as JSON and Markdown.

    Args:
        open_test: called for the trials of the chosen configuration, unless the test rows were opened for them before;
            returns whether each was right in each row, (seeds, rows).
        render: makes the text of `conclusion.md`.
        cautions: what is to be known of the data.
    """
    correct = cache(folder.read_correct)
    done = [row for row in rows if row.status == Status.DONE and not row.experiment.from_search]
    varying = suite.varying()
    ranked = rank_configurations(done, varying)
    comparable = with_the_seeds_of_the_best(ranked, done)
    ranked, compared = _compare(ranked, comparable, done, correct)
    tied = compared.tied if compared else []
    seeds = compared.seeds if compared else suite.seeds
    differences = _differences(compared) if compared else {}
    of_best = networks_of(done)[ranked[0].trial] if ranked else []
    openings = _openings(folder)
    if of_best and not any(row.unfinished for row in rows):
        openings = _open_once(openings, of_best, folder, open_test)
    conclusion = Conclusion(
        suite=suite.name,
        title=suite.title,
        digest=digest_of(rows),
        samples=suite.samples,
        validation_rows=len(correct(ranked[0].trial)[1]) if ranked else 0,
        seeds=seeds,
        best=ranked[0] if ranked else None,
        course=validation_curve_of([folder.read_history(trial.id) for trial in of_best]),
        rivals=tuple((c, differences[c.trial]) for c in ranked[1:] if c.trial in differences)[:_RIVALS],
        tied=tuple(tied),
        smallest=next((c for c in ranked if compared and c.trial == compared.smallest), None),
        seeds_needed=compared.seeds_needed if compared else None,
        seeds_asked=suite.seeds,
        left_out=len(ranked) - len(comparable) if compared else 0,
        cut=len(comparable) - len(compared.names) if compared else 0,
        answers=tuple(
            analyze_experiment(e, rows, varying, correct, ranked) for e in suite.experiments if not e.from_search
        ),
        search=explore([row for row in rows if row.experiment.from_search], varying),
        depths=tuple(compare_depths(done, [name for name in varying if name != "hidden_layer_sizes"], correct)),
        test=_test_of(ranked[0], openings) if ranked else None,
        openings=openings,
        not_done=tuple(_not_done(rows)),
        cautions=tuple(cautions),
        seconds=_training_seconds([row for row in rows if row.status.is_measured]),
    )
    # an opening is remembered before anybody can read what it showed; the digest, which makes it count, comes last
    _write_json(replace(conclusion, digest=""), folder)
    write_text_whole(folder.conclusion_md, render(conclusion))
    _write_json(conclusion, folder)
    return conclusion


def _write_json(conclusion: Conclusion, folder: RunFolder) -> None:
    write_text_whole(folder.conclusion_json, json.dumps(asdict(conclusion), indent=1, allow_nan=False) + "\n")


def _compare(
    ranked: list[Configuration], comparable: Sequence[Configuration], done: Sequence[ResultRow], correct: Correct
) -> tuple[list[Configuration], Comparison | None]:
    """Compare the best of those that can be; return all with what that told, and the comparison.

    Its names are those of trials.
    """
    from mlplab.lab.analysis.ranking import COMPARED, compare_ranked

    compared = comparable[:COMPARED]
    if not compared or len(correct(compared[0].trial)[1]) < 2:
        return ranked, None
    found = compare_ranked(compared, [c.trial for c in compared], done, correct)
    told = [
        replace(c, interval=(float(low), float(high)), chance=float(chance))
        for c, (low, high), chance in zip(compared, found.intervals, found.probability_best, strict=True)
    ]
    by_trial = {c.trial: c for c in told}
    return [by_trial.get(c.trial, c) for c in ranked], found


def _differences(compared: Comparison) -> dict[str, Difference]:
    """Return how far the best is ahead of each, by its trial."""
    behind = zip(compared.names, compared.behind.tolist(), compared.margins.tolist(), strict=True)
    return {trial: Difference(100 * points, 100 * margin, compared.seeds) for trial, points, margin in behind}


def _training_seconds(done: Sequence[ResultRow]) -> float:
    """Return the time that training took: trials that are the beginning of another one cost nothing of their own."""
    longest: dict[str, float] = {}
    for row in done:
        if row.result:
            longest[row.trial.lineage] = max(longest.get(row.trial.lineage, 0.0), row.result.seconds)
    return sum(longest.values())


def _not_done(rows: Sequence[ResultRow]) -> Iterable[tuple[str, str, str]]:
    seen = {row.trial.id: row for row in rows if row.status in (Status.DIVERGED, Status.FAILED) or row.unfinished}
    for row in seen.values():
        error = row.result.error if row.result else None
        yield row.label, row.status, error.strip().splitlines()[-1] if error else "not trained yet"


def _openings(folder: RunFolder) -> tuple[Test, ...]:
    """Return every opening of the test rows that the folder state_attributes; what cannot be read is none."""
    held = read_conclusion(folder).get("openings")
    found = [_opening(entry) for entry in held] if isinstance(held, list) else []
    return tuple(test for test in found if test)


def _opening(entry: Any) -> Test | None:
    try:
        known = {field.name: entry[field.name] for field in fields(Test) if field.name in entry}
        low, high = known["interval"]
        numbers = {"right": int(known["right"]), "rows": int(known["rows"]), "accuracy": float(known["accuracy"])}
        return Test(**{**known, **numbers, "interval": (float(low), float(high))})
    except (TypeError, ValueError, KeyError):
        return None


def _test_of(best: Configuration, openings: Sequence[Test]) -> Test | None:
    """Return what the test rows said of a configuration, of all seeds that it has now or else of those of before."""
    mine = [test for test in openings if test.trial == best.trial]
    return next((test for test in mine if test.seeds == best.seeds), mine[-1] if mine else None)


def _open_once(
    openings: tuple[Test, ...],
    trials: Sequence[Trial],
    folder: RunFolder,
    open_test: Callable[[Sequence[Trial]], Array],
) -> tuple[Test, ...]:
    """Open the test rows for the trials of a configuration, unless they were before; no opening is ever forgotten."""
    before = [(test.trial, test.seeds) for test in openings]
    these = (trials[0].id, len(trials))
    if before and before[-1] == these and folder.chosen_file.is_file():
        return openings
    from mlplab.stats.variance_components import accuracy_interval

    correct = open_test(trials)
    if these in before:  # the same networks again: the same answers, the first date
        return openings
    accuracies = correct.mean(axis=1)
    opened = Test(
        trial=trials[0].id,
        right=int(correct[0].sum()),
        rows=correct.shape[1],
        accuracy=float(accuracies.mean()),
        interval=accuracy_interval(correct),
        opened=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        seeds=len(trials),
        spread=float(accuracies.std(ddof=1)) if len(trials) > 1 else None,
    )
    return (*openings, opened)


def validation_curve_of(histories: Sequence[History]) -> ValidationCurve | None:
    """Return what the validation losses of a configuration's networks did, means over its seeds.

    None where there are none, or early stopping decided how many epochs each was trained for.
    """
    losses = [history["val_loss"] for history in histories]
    if len({len(values) for values in losses}) != 1 or not losses[0]:
        return None
    means = np.mean(losses, axis=0)
    best = int(means.argmin())
    return ValidationCurve(len(means), best + 1, float(means[best]), float(means[-1]))
