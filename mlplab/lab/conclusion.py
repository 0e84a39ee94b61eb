"""What a suite showed: the facts, from the stored results, with how far they can be trusted."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mlplab.atomic import write_text_whole
from mlplab.engine.numpy_engine import Array
from mlplab.lab.conclusion_text import to_markdown
from mlplab.lab.findings import (
    Answer,
    Conclusion,
    Configuration,
    DepthComparison,
    Difference,
    Effect,
    Interaction,
    Test,
)
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Experiment, Suite
from mlplab.lab.trial import Trial, describe_setting, describe_value
from mlplab.training.settings import layer_widths

if TYPE_CHECKING:
    from mlplab.lab.comparison import Comparison

#: How many of the next best configurations are compared with the best.
_RIVALS = 50
#: How many of the best are compared at all.
_COMPARED = 500
#: Returns a trial's validation rows, by number, and whether its network was right in each.
Correct = Callable[[str], tuple[Array, Array]]


def digest_of(rows: Iterable[ResultRow]) -> str:
    """Return a hash of the trials with their status: what a conclusion stands on."""
    found = sorted({f"{row.experiment.name} {row.trial.id} {row.status}" for row in rows})
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


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
    return files and held.get("digest") == digest_of(rows) and not any(row.unfinished for row in rows)


def write_conclusion(
    folder: RunFolder, suite: Suite, rows: Sequence[ResultRow], open_test: Callable[[Trial], tuple[int, int]]
) -> Conclusion:
    """Draw the conclusion and write it as JSON and Markdown.

    open_test: called for the chosen trial, unless its test rows were opened before; returns right answers and rows.
    """
    correct = cache(folder.read_correct)
    done = [row for row in rows if row.status == "done"]
    varying = suite.varying()
    ranked, compared = _compare(rank_configurations(done, varying), done, correct)
    trials = {row.trial.id: row.trial for row in done}
    tied = compared.tied if compared else []
    behind = zip(compared.behind.tolist(), compared.margins.tolist(), strict=True) if compared else ()
    differences = [Difference(100 * points, 100 * margin) for points, margin in behind][1:]
    openings = _openings(folder)
    if ranked and not any(row.unfinished for row in rows):
        openings = _open_once(openings, trials[ranked[0].trial], folder, open_test)
    conclusion = Conclusion(
        suite=suite.name,
        title=suite.title,
        digest=digest_of(rows),
        samples=suite.samples,
        validation_rows=len(correct(ranked[0].trial)[1]) if ranked else 0,
        seeds=suite.seeds,
        best=ranked[0] if ranked else None,
        rivals=tuple(zip(ranked[1 : 1 + len(differences)], differences, strict=True))[:_RIVALS],
        tied=tuple(tied),
        smallest=next((c for c in ranked if compared and c.trial == compared.smallest), None),
        seeds_needed=compared.seeds_needed if compared else None,
        answers=tuple(_answer(experiment, rows, varying, correct) for experiment in suite.experiments),
        depths=tuple(_depths(done, [name for name in varying if name != "hidden_layer_sizes"])),
        test=next((test for test in openings if ranked and test.trial == ranked[0].trial), None),
        openings=openings,
        not_done=tuple(_not_done(rows)),
        seconds=_training_seconds(done),
    )
    # the JSON last: its digest is what makes the conclusion count
    write_text_whole(folder.conclusion_md, to_markdown(conclusion))
    write_text_whole(folder.conclusion_json, json.dumps(asdict(conclusion), indent=1, allow_nan=False) + "\n")
    return conclusion


def rank_configurations(done: Sequence[ResultRow], varying: Sequence[str] = ()) -> list[Configuration]:
    """Return the configurations of trials that were done, the best first.

    The best has the highest mean validation accuracy; of equals it is the smaller, then the one with the lower loss. A
    configuration that lacks seeds which others have (one diverged, say) comes after them: its mean is of lucky ones.
    """
    found = _configurations(done, varying)
    seeds = max((c.seeds for c in found), default=0)
    return sorted(found, key=lambda c: (c.seeds < seeds, -c.val_accuracy, c.parameters, c.val_loss))


def _compare(
    ranked: list[Configuration], done: Sequence[ResultRow], correct: Correct
) -> tuple[list[Configuration], Comparison | None]:
    """Compare the best configurations that have all seeds; return them with what that told, and the comparison.

    Its names are those of trials, which are different whatever the configurations are called.
    """
    from mlplab.lab.comparison import compare_configurations  # half a second to import

    complete = [c for c in ranked[:_COMPARED] if c.seeds == ranked[0].seeds]
    if not complete or len(correct(complete[0].trial)[1]) < 2:
        return ranked, None
    trials = {row.trial.id: row.trial for row in done}
    by_seed: dict[str, dict[int, str]] = {}
    for trial in trials.values():
        by_seed.setdefault(trial.configuration, {})[trial.seed] = trial.id
    answers = []
    for configuration in complete:
        seeds = by_seed[trials[configuration.trial].configuration]
        answers.append([correct(seeds[seed])[1] for seed in sorted(seeds)])
    found = compare_configurations(
        np.array(answers), [c.trial for c in complete], parameters=[c.parameters for c in complete]
    )
    told = [
        replace(c, interval=(float(low), float(high)), chance=float(chance))
        for c, (low, high), chance in zip(complete, found.intervals, found.probability_best, strict=True)
    ]
    return [*told, *ranked[len(told) :]], found


def _training_seconds(done: Sequence[ResultRow]) -> float:
    """Return the time that training took: trials that are the beginning of another one cost nothing of their own."""
    longest: dict[str, float] = {}
    for row in done:
        if row.result:
            longest[row.trial.lineage] = max(longest.get(row.trial.lineage, 0.0), row.result.seconds)
    return sum(longest.values())


def _not_done(rows: Sequence[ResultRow]) -> Iterable[tuple[str, str, str]]:
    seen = {row.trial.id: row for row in rows if row.status != "done"}
    for row in seen.values():
        error = row.result.error if row.result else None
        yield row.label, row.status, error.strip().splitlines()[-1] if error else "not trained yet"


def _configurations(rows: Sequence[ResultRow], varying: Sequence[str]) -> list[Configuration]:
    groups: dict[str, dict[str, ResultRow]] = {}
    for row in rows:
        groups.setdefault(row.trial.configuration, {})[row.trial.id] = row
    return [_summarize(list(group.values()), varying) for group in groups.values()]


def _summarize(rows: list[ResultRow], varying: Sequence[str]) -> Configuration:
    results = [row.result for row in rows if row.result]
    accuracies = [result.val_accuracy or 0.0 for result in results]
    return Configuration(
        name=name_of(rows[0].trial, varying),
        label=rows[0].label,
        trial=rows[0].trial.id,
        seeds=len(rows),
        val_accuracy=float(np.mean(accuracies)),
        val_loss=float(np.mean([result.val_loss for result in results])),
        spread=float(np.std(accuracies, ddof=1)) if len(rows) > 1 else None,
        parameters=results[0].parameters,
        seconds=float(np.mean([result.seconds for result in results])),
    )


def name_of(trial: Trial, varying: Iterable[str]) -> str:
    """Return the settings that vary, in words: ``1024-512, lr 0.01``."""
    return ", ".join(describe_setting(name, trial[name]) for name in varying) or "the only configuration"


def _answer(experiment: Experiment, rows: Sequence[ResultRow], varying: Sequence[str], correct: Correct) -> Answer:
    mine = [row for row in rows if row.experiment == experiment]
    done = [row for row in mine if row.status == "done"]
    names = [name for name in varying if len(experiment.grid.get(name, ())) > 1]
    configurations = rank_configurations(done, names)
    effects = [_effect(name, experiment, mine, correct) for name in names]
    interactions = [_interaction(a, b, experiment, mine, correct) for a in names for b in names if a != b]
    return Answer(
        experiment.name,
        experiment.title,
        tuple(configurations),
        tuple(effect for effect in effects if effect),
        tuple(interaction for interaction in interactions if interaction),
    )


def _effect(setting: str, experiment: Experiment, rows: Sequence[ResultRow], correct: Correct) -> Effect | None:
    """Compare the values of one setting over those combinations of the others for which every value was done."""
    values = list(dict.fromkeys(experiment.grid[setting]))
    complete = _blocks([setting], [(v,) for v in values], experiment, rows)
    if not complete:
        return None
    # rounded, so that equal means are equal whatever the order of their sums
    means = {v: round(float(np.mean([_accuracy(b[v,]) for b in complete])), 12) for v in values}
    parameters = {v: sum(r.parameters for b in complete if (r := b[v,].result)) for v in values}
    ranked = sorted(values, key=lambda v: (-means[v], parameters[v]))
    best, worst = ranked[0], ranked[-1]
    return Effect(
        setting,
        tuple((describe_value(v), means[v]) for v in ranked),
        _difference([(b[best,].trial.seed, {b[best,].trial.id: 1, b[worst,].trial.id: -1}) for b in complete], correct),
        _trend(setting, means),
    )


def _interaction(
    setting: str, other: str, experiment: Experiment, rows: Sequence[ResultRow], correct: Correct
) -> Interaction | None:
    """Look whether the best value of a setting depends on another one; None where it does not, clearly.

    For every pair of values of the other that want different ones, the difference of the two differences is taken.
    """
    mine, others = (list(dict.fromkeys(experiment.grid[name])) for name in (setting, other))
    complete = _blocks([setting, other], [(v, w) for v in mine for w in others], experiment, rows)
    if not complete:
        return None
    means = {(v, w): float(np.mean([_accuracy(b[v, w]) for b in complete])) for v in mine for w in others}
    best = {w: max(mine, key=lambda v: means[v, w]) for w in others}
    pairs = [(w, x) for w, x in combinations(others, 2) if best[w] != best[x]]
    if not pairs:
        return None

    def size(pair: tuple[Any, Any]) -> float:
        w, x = pair
        return means[best[w], w] - means[best[x], w] - means[best[w], x] + means[best[x], x]

    w, x = max(pairs, key=size)
    signs = {(best[w], w): 1, (best[x], w): -1, (best[w], x): -1, (best[x], x): 1}
    contrasts = [(b[best[w], w].trial.seed, {b[key].trial.id: sign for key, sign in signs.items()}) for b in complete]
    possible = len(list(combinations(mine, 2))) * len(list(combinations(others, 2)))
    difference = _difference(contrasts, correct, 1 - 0.05 / possible)  # Bonferroni's correction for having looked
    if not difference.clear:
        return None
    chosen = tuple((describe_value(w), describe_value(best[w])) for w in others)
    return Interaction(setting, other, chosen, difference)


def _blocks(
    settings: Sequence[str], values: Sequence[tuple[Any, ...]], experiment: Experiment, rows: Sequence[ResultRow]
) -> list[dict[tuple[Any, ...], ResultRow]]:
    """Return the rows by value, for every seed and combination of the other settings that has all the values done."""
    blocks: dict[str, dict[tuple[Any, ...], ResultRow]] = {}
    for row in rows:
        others = repr((row.trial.seed, [row.trial[name] for name in experiment.grid if name not in settings]))
        blocks.setdefault(others, {})[tuple(row.trial[name] for name in settings)] = row
    return [b for b in blocks.values() if all(v in b and b[v].status == "done" for v in values)]


def _accuracy(row: ResultRow) -> float:
    return (row.result.val_accuracy if row.result else None) or 0.0


def _trend(setting: str, means: Mapping[Any, float]) -> str | None:
    """Say whether the accuracy rises or falls with a number, or with the units of hidden layers."""
    sizes = {v: sum(v) if isinstance(v, tuple) else v for v in means}
    if any(not isinstance(size, int | float) or isinstance(size, bool) for size in sizes.values()):
        return None
    if setting == "hidden_layer_sizes" and len(set(sizes.values())) < len(sizes):
        return None
    ordered = [means[v] for v in sorted(means, key=lambda v: sizes[v])]
    steps = np.diff(ordered)
    return "rises" if (steps > 0).all() else "falls" if (steps < 0).all() else "mixed"


def _depths(done: Sequence[ResultRow], others: Sequence[str]) -> Iterator[DepthComparison]:
    """Compare depths among trials of all experiments that differ in `hidden_layer_sizes` alone."""
    groups: dict[str, dict[int, dict[str, list[ResultRow]]]] = {}
    for row in {row.trial.id: row for row in done}.values():
        depths = groups.setdefault(name_of(row.trial, others), {})
        widths = layer_widths(row.trial["hidden_layer_sizes"])
        depths.setdefault(len(widths), {}).setdefault(row.trial.configuration, []).append(row)
    for name, depths in groups.items():
        if len(depths) > 1:
            means = [
                (depth, float(np.mean([_accuracy(row) for rows in depths[depth].values() for row in rows])))
                for depth in sorted(depths)
            ]
            yield DepthComparison(name, tuple((depth, mean, len(depths[depth])) for depth, mean in means))


def _difference(
    contrasts: Sequence[tuple[int, Mapping[str, int]]], correct: Correct, confidence: float = 0.95
) -> Difference:
    """Return the mean of contrasts, with its margin.

    Args:
        contrasts: each a seed, and trials of it with the sign that their right answers have.
    """
    from mlplab.lab.comparison import paired_difference

    of_seeds: dict[int, list[Array]] = {}
    for seed, signs in contrasts:
        d = sum(sign * correct(trial)[1].astype(np.float64) for trial, sign in signs.items())
        of_seeds.setdefault(seed, []).append(np.asarray(d))
    points, margin = paired_difference([np.mean(group, axis=0) for group in of_seeds.values()], confidence)
    return Difference(100 * points, 100 * margin)


def _openings(folder: RunFolder) -> tuple[Test, ...]:
    """Return every opening of the test rows that the folder remembers."""
    held = read_conclusion(folder).get("openings", [])
    return tuple(Test(**{**test, "interval": tuple(test["interval"])}) for test in held)


def _open_once(
    openings: tuple[Test, ...], trial: Trial, folder: RunFolder, open_test: Callable[[Trial], tuple[int, int]]
) -> tuple[Test, ...]:
    """Open the test rows for a trial, unless they were before; an opening is never forgotten."""
    if openings and openings[-1].trial == trial.id and folder.chosen_file.is_file():
        return openings
    from scipy.stats import binomtest  # half a second to import, once in a suite

    right, rows = open_test(trial)
    if any(test.trial == trial.id for test in openings):  # the same network again: the same answers, the first date
        return openings
    interval = binomtest(right, rows).proportion_ci(0.95, method="wilson")
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    opened = Test(trial.id, right, rows, right / rows, (float(interval.low), float(interval.high)), now)
    return (*openings, opened)
