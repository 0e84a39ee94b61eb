"""A conclusion in words: Markdown that reads well on a terminal too."""

from __future__ import annotations

from collections.abc import Iterator

from mlplab.lab.analysis.findings import Conclusion, Configuration, Test, ValidationCurve
from mlplab.lab.report.experiments import depths_text, experiment_text, search_text
from mlplab.lab.report.markdown import bullets, cells, describe_accuracy, describe_chance, describe_difference, table
from mlplab.utils.text import DIGITS, describe_seconds, how_many, percent

#: By what factor a validation loss must have risen above its lowest to be called overfitting.
_RISEN = 1.05
#: Fewer validation rows than these are few: at 90 %, the standard error of an accuracy is 1.3 points with so many.
_FEW = 500


def to_markdown(conclusion: Conclusion) -> str:
    """Return the whole conclusion."""
    parts = [f"# {conclusion.title}", *_best(conclusion), "## The experiments"]
    for answer in conclusion.answers:
        parts += experiment_text(answer, conclusion.seeds)
    if conclusion.search:
        parts += ["### What the search tried", *search_text(conclusion.search)]
    if conclusion.depths:
        parts += ["### Depth, across the experiments", *depths_text(conclusion.depths)]
    if conclusion.not_done:
        parts += ["## What did not end well", bullets(f"`{a}`: {b}: {c}" for a, b, c in conclusion.not_done)]
    parts += ["## How far this can be trusted", *_caveats(conclusion)]
    return "\n\n".join(parts) + "\n"


def _best(conclusion: Conclusion) -> Iterator[str]:
    best, test = conclusion.best, conclusion.test
    if best is None:
        yield "No trial was trained to its end, so there is nothing to conclude."
        return
    tied = [c for c, _ in conclusion.rivals if c.trial in conclusion.tied]
    ahead = f", tied with {how_many(len(conclusion.tied) - 1, 'other')}" if tied else ""
    equals = sum(round(c.val_accuracy - best.val_accuracy, DIGITS) == 0 for c, _ in conclusion.rivals)
    what = f"best configuration is {best.name}{ahead}" if conclusion.rivals else best.name
    yield (
        f"**The {what}** (`{best.label}`): {describe_accuracy(best)} of "
        f"{conclusion.validation_rows:,} validation rows right{_spread(best)}, {best.val_loss:.4f} nats a row. It has "
        f"{best.parameters:,} parameters and took {describe_seconds(best.seconds)} to train."
    )
    if conclusion.course:
        yield _course(conclusion.course)
    if equals:
        yield (
            f"{how_many(equals, 'other')} had the very same accuracy: of such, the one with the fewest parameters is "
            "named, then the one with the lowest loss."
        )
    if test:
        yield _test(test, len({opening.trial for opening in conclusion.openings}))
    else:
        yield "The test rows stay closed until every trial has been trained: run the suite again."
    if conclusion.rivals:
        yield "The first ones, how far the best is ahead of each, and how likely each is to be the best of all:"
        yield table(
            ["configuration", "validation accuracy", "95 % interval", "behind the best (points)", "best", "parameters"],
            [
                [*cells(c, conclusion.seeds)[:3], behind, describe_chance(c), f"{c.parameters:,}"]
                for c, behind in [(best, ""), *((c, describe_difference(d)) for c, d in conclusion.rivals[:5])]
            ],
        )
        yield from _tied(conclusion, tied)
    if conclusion.left_out:
        others = how_many(conclusion.left_out, "configuration")
        yield f"Not compared with it, for their seeds are not the same: {others}."
    if conclusion.cut:
        yield f"Only the best were compared, not the other {how_many(conclusion.cut, 'configuration')}."
    yield f"Training took {describe_seconds(conclusion.seconds)} of one core in all."


def _course(course: ValidationCurve) -> str:
    epochs = how_many(course.epochs, "epoch")
    if course.best_epoch == course.epochs:
        return f"Its validation loss was lowest at the end of its {epochs}: more (`max_iter`) may still make it better."
    lowest = f"Its validation loss was lowest after {course.best_epoch} of its {epochs}, {course.lowest:.4f} nats"
    if course.last <= _RISEN * course.lowest:
        return f"{lowest}, and has hardly changed since."
    return (
        f"{lowest}, and has risen to {course.last:.4f} since: **it overfits**. Fewer epochs, early stopping "
        "(`early_stopping = true`) or more regularisation (`alpha`, `dropout`) may make it better."
    )


def _test(test: Test, openings: int) -> str:
    how = "opened for this configuration alone" if openings == 1 else f"opened for {openings} configurations by now"
    low, high = test.interval
    interval = f"95 % interval {percent(low)} to {percent(high)}"
    model = f"`trials/{test.trial}/model.safetensors`"
    if test.spread is None:
        got = f"it got {test.right:,} of {test.rows:,} right: **{percent(test.accuracy)}**, {interval} for other rows."
    else:
        got = (
            f"its {test.seeds} networks got **{percent(test.accuracy)}** of {test.rows:,} right on average, {interval} "
            f"for other seeds and rows; they scatter by {100 * test.spread:.2f} points."
        )
    which = "The network" if test.spread is None else "That of the lowest seed"
    return f"On the **test rows**, {how} ({test.opened[:10]}), {got} {which}: {model}."


def _tied(conclusion: Conclusion, tied: list[Configuration]) -> Iterator[str]:
    """Say which cannot be told from the best, which of them is the smallest, and what would settle it."""
    best, smallest = conclusion.best, conclusion.smallest
    assert best is not None
    seeds = how_many(conclusion.seeds, "seed")
    these = " of these very networks" if conclusion.seeds == 1 else ""
    if not tied:
        yield (
            "All that were compared are behind it by more than chance explains, with 95 % confidence for all together "
            f"({seeds}{these})."
        )
        return
    more = f" and {len(conclusion.tied) - 1 - 8} more" if len(conclusion.tied) - 1 > 8 else ""
    yield (
        f"**Tied with the best**: {'; '.join(c.name for c in tied[:8])}{more}. With 95 % confidence for all "
        f"comparisons together, the best one{these} is it or one of these ({seeds})."
    )
    if smallest and smallest.parameters < best.parameters:
        far = f"{100 * (best.val_accuracy - smallest.val_accuracy):.2f}"  # of very many, it may be none of the rivals
        behind = next((describe_difference(d) for c, d in conclusion.rivals if c.trial == smallest.trial), far)
        yield (
            f"The smallest of them is {smallest.name}: {smallest.parameters:,} parameters, "
            f"{best.parameters / smallest.parameters:.1f} times fewer, {describe_accuracy(smallest)} ({seeds}), "
            f"{behind} points behind: not shown to be worse, which does not show it to be as good."
        )
    if conclusion.seeds > 1:
        needed = conclusion.seeds_needed
        yield (
            f"About {how_many(needed, 'more seed')} for each (`--seeds {conclusion.seeds_asked + needed}`) would "
            "probably tell all of them from it, if the differences are what they seem."
            if needed
            else "How many more seeds would tell all of them from it cannot be said from these seeds and rows."
        )


def _spread(configuration: Configuration) -> str:
    if configuration.spread is None:
        return " (1 seed)"
    return f" (mean of {configuration.seeds} seeds, which scatter by {100 * configuration.spread:.2f} points)"


def _caveats(conclusion: Conclusion) -> Iterator[str]:
    if conclusion.cautions:
        yield bullets(f"Of the data: {caution}." for caution in conclusion.cautions)
    if conclusion.samples is not None:
        yield (
            f"**Training and validation shared {conclusion.samples:,} rows only** (`--samples`). With so few, networks "
            "are trained for fewer steps too: this is a look at how things work, not an answer for the whole data."
        )
    if 0 < conclusion.validation_rows < _FEW:
        yield (
            f"**All was measured on {conclusion.validation_rows:,} validation rows, and so few cannot show much**: one "
            f"row more is {100 / conclusion.validation_rows:.2g} points, and configurations that differ by many points "
            "may be tied."
        )
    if conclusion.seeds == 1:
        yield (
            "**There is one seed for every configuration, and one seed cannot carry much.** The intervals above come "
            "from the validation rows alone; another draw of the start weights would move every accuracy by an amount "
            "that a single seed cannot show. Take small differences as ties, and train with more seeds (`--seeds 5`) "
            "before relying on an order."
        )
    else:
        yield (
            f"The configurations that were compared were trained with the same {conclusion.seeds} seeds and measured "
            "on the same rows; the accuracies are means over the seeds. The intervals hold for other seeds and for "
            "other rows."
        )
    if conclusion.search:
        yield (
            "The search judged most configurations by one seed and few epochs: one that learns slowly may have been "
            "left behind. What is concluded stands on the finalists alone, trained with seeds that the search had not "
            "seen; the validation rows, though, are those that chose them."
        )
    if conclusion.rivals:
        yield _of_all(conclusion)


def _of_all(conclusion: Conclusion) -> str:
    with_these = ", with these seeds" if conclusion.seeds == 1 else ""
    return (
        "The ± of a comparison with the best is how far a configuration must be behind to be given up. At 95 % for all "
        f"of them together the best one is not; and where all are equally good{with_these}, one alone is called the "
        "best in at most one suite of twenty. The ± of what a setting did holds for all its values together, of each "
        "setting on its own. The best of several is partly the luckiest: its validation accuracy flatters it a little, "
        "its test accuracy does not. "
        "The chance of being the best reckons with how uncertain every accuracy is: one that the seeds leave open may "
        "have a better chance than one that was measured a little higher."
    )
