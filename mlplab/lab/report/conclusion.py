"""The conclusion in words."""

from __future__ import annotations

from collections.abc import Iterator

from mlplab.lab.analysis.findings import Conclusion, Configuration, TestEvaluation, ValidationCurve, WinnerComparison
from mlplab.lab.report.document import (
    Block,
    Heading,
    Sentence,
    bullets,
    code,
    join,
    number,
    paragraph,
    sentence,
    strong,
    table,
)
from mlplab.lab.report.experiments import describe_depths, describe_experiment, describe_search
from mlplab.lab.report.wording import Wording, describe_chance
from mlplab.metrics import find_metric
from mlplab.utils.text import DIGITS, describe_seconds, how_many

#: By what factor a validation loss must have risen above its lowest to be called overfitting.
_RISEN = 1.05
#: Fewer validation rows than these are few: at 90 %, the standard error of an accuracy is 1.3 points with so many.
_FEW = 500
#: Rivals in the table, and tied configurations that are named.
_RIVALS_SHOWN, _TIED_SHOWN = 5, 8


def describe_conclusion(conclusion: Conclusion) -> list[Block]:
    """Return the whole conclusion as a document."""
    wording = Wording(find_metric(conclusion.metric))
    blocks: list[Block] = [Heading(1, conclusion.title), *_describe_winner(conclusion, wording)]
    blocks.append(Heading(2, "The experiments"))
    for experiment in conclusion.experiments:
        blocks += describe_experiment(experiment, conclusion.comparison.seeds, wording)
    if conclusion.search:
        blocks += [Heading(3, "What the search tried"), *describe_search(conclusion.search, wording)]
    if conclusion.depths:
        blocks += [Heading(3, "Depth, across the experiments"), *describe_depths(conclusion.depths, wording)]
    if conclusion.not_done:
        blocks += [Heading(2, "What did not end well"), bullets(map(_describe_not_done, conclusion.not_done))]
    return [*blocks, Heading(2, "How far this can be trusted"), *_describe_limits(conclusion)]


def _describe_not_done(trial: tuple[str, str, str]) -> Sentence:
    label, status, reason = trial
    return sentence("{label}: {status}: {reason}", label=code(label), status=status, reason=reason)


def _describe_winner(conclusion: Conclusion, wording: Wording) -> Iterator[Block]:
    if conclusion.winner is None:
        yield paragraph(sentence("No trial was trained to its end, so there is nothing to conclude."))
        return
    best, test, comparison = conclusion.winner.configuration, conclusion.winner.test, conclusion.comparison
    tied = [c for c, _ in comparison.rivals if c.trial in comparison.tied]
    equals = sum(round(c.value - best.value, DIGITS) == 0 for c, _ in comparison.rivals)
    yield paragraph(_name_winner(conclusion, best, bool(tied), wording))
    if conclusion.winner.validation_curve:
        yield paragraph(_describe_curve(conclusion.winner.validation_curve))
    if equals:
        yield paragraph(
            sentence(
                "{others} had the very same {metric}: of such, the one with the fewest parameters is named, then the "
                "one with the lowest loss.",
                others=how_many(equals, "other"),
                metric=wording.name,
            )
        )
    if test:
        evaluated = len({one.trial for one in conclusion.test_evaluations})
        yield paragraph(_describe_test(test, evaluated, wording))
    else:
        yield paragraph(sentence("The test rows stay closed until every trial has been trained: run the suite again."))
    if comparison.rivals:
        yield from _compare_rivals(comparison, best, tied, wording)
    if comparison.left_out:
        others = how_many(comparison.left_out, "configuration")
        yield paragraph(sentence("Not compared with it, for their seeds are not the same: {others}.", others=others))
    if comparison.cut:
        others = how_many(comparison.cut, "configuration")
        yield paragraph(sentence("Only the best were compared, not the other {others}.", others=others))
    seconds = number(conclusion.seconds, describe_seconds(conclusion.seconds))
    yield paragraph(sentence("Training took {seconds} of one core in all.", seconds=seconds))


def _name_winner(conclusion: Conclusion, best: Configuration, tied: bool, wording: Wording) -> Sentence:
    others = len(conclusion.comparison.tied) - 1
    ahead = f", tied with {how_many(others, 'other')}" if tied else ""
    what = f"best configuration is {best.name}{ahead}" if conclusion.comparison.rivals else best.name
    spread = sentence(" (1 seed)")
    if best.spread is not None:
        spread = sentence(
            " (mean of {seeds} seeds, which scatter by {scatter} points)",
            seeds=best.seeds,
            scatter=wording.scatter(best.spread),
        )
    return sentence(
        "{winner} ({label}): {value} of {rows} validation rows right{spread}, {loss} nats a row. It has {parameters} "
        "parameters and took {seconds} to train.",
        winner=strong("The {what}", what=what),
        label=code(best.label),
        value=wording.with_interval(best),
        rows=conclusion.validation_rows,
        spread=spread,
        loss=number(best.val_loss, f"{best.val_loss:.4f}"),
        parameters=best.parameters,
        seconds=number(best.seconds, describe_seconds(best.seconds)),
    )


def _describe_curve(curve: ValidationCurve) -> Sentence:
    epochs = how_many(curve.epochs, "epoch")
    if curve.best_epoch == curve.epochs:
        return sentence(
            "Its validation loss was lowest at the end of its {epochs}: more ({setting}) may still make it better.",
            epochs=epochs,
            setting=code("max_iter"),
        )
    lowest = sentence(
        "Its validation loss was lowest after {best} of its {epochs}, {lowest} nats",
        best=curve.best_epoch,
        epochs=epochs,
        lowest=number(curve.lowest, f"{curve.lowest:.4f}"),
    )
    if curve.last <= _RISEN * curve.lowest:
        return sentence("{lowest}, and has hardly changed since.", lowest=lowest)
    return sentence(
        "{lowest}, and has risen to {last} since: {verdict}. Fewer epochs, early stopping ({early}) or more "
        "regularisation ({alpha}, {dropout}) may make it better.",
        lowest=lowest,
        last=number(curve.last, f"{curve.last:.4f}"),
        verdict=strong("it overfits"),
        early=code("early_stopping = true"),
        alpha=code("alpha"),
        dropout=code("dropout"),
    )


def _describe_test(test: TestEvaluation, configurations: int, wording: Wording) -> Sentence:
    """Return the result on the test set, which `configurations` have been evaluated on."""
    how = "opened for this configuration alone"
    if configurations > 1:
        how = f"opened for {configurations} configurations by now"
    interval = sentence("95 % interval {ends}", ends=wording.ends(test.interval))
    value = strong("{value}", value=wording.value(test.value))
    if test.spread is None:
        result = sentence(
            "it got {right} of {rows} right: {value}, {interval} for other rows.",
            right=test.right,
            rows=test.rows,
            value=value,
            interval=interval,
        )
    else:
        result = sentence(
            "its {seeds} networks got {value} of {rows} right on average, {interval} for other seeds and rows; they "
            "scatter by {scatter} points.",
            seeds=test.seeds,
            value=value,
            rows=test.rows,
            interval=interval,
            scatter=wording.scatter(test.spread),
        )
    return sentence(
        "On the {test}, {how} ({date}), {result} {which}: {model}.",
        test=strong("test rows"),
        how=how,
        date=test.opened[:10],
        result=result,
        which="The network" if test.spread is None else "That of the lowest seed",
        model=code(f"trials/{test.trial}/model.safetensors"),
    )


def _compare_rivals(
    comparison: WinnerComparison, best: Configuration, tied: list[Configuration], wording: Wording
) -> Iterator[Block]:
    yield paragraph(
        sentence("The first ones, how far the best is ahead of each, and how likely each is to be the best of all:")
    )
    shown = [(c, wording.difference(d).text) for c, d in comparison.rivals[:_RIVALS_SHOWN]]
    yield table(
        [
            "configuration",
            f"validation {wording.name}",
            "95 % interval",
            f"behind the best{wording.unit}",
            "best",
            "parameters",
        ],
        [
            [*wording.cells(c, comparison.seeds)[:3], behind, describe_chance(c), f"{c.parameters:,}"]
            for c, behind in [(best, ""), *shown]
        ],
    )
    for one in _describe_tied(comparison, best, tied, wording):
        yield paragraph(one)


def _describe_tied(
    comparison: WinnerComparison, best: Configuration, tied: list[Configuration], wording: Wording
) -> Iterator[Sentence]:
    """Yield which cannot be told from the best, which of them is the smallest, and what would settle it."""
    seeds = how_many(comparison.seeds, "seed")
    these = " of these very networks" if comparison.seeds == 1 else ""
    if not tied:
        yield sentence(
            "All that were compared are behind it by more than chance explains, with 95 % confidence for all together "
            "({seeds}{these}).",
            seeds=seeds,
            these=these,
        )
        return
    more = len(comparison.tied) - 1 - _TIED_SHOWN
    yield sentence(
        "{tied}: {names}{more}. With 95 % confidence for all comparisons together, the best one{these} is it or one of "
        "these ({seeds}).",
        tied=strong("Tied with the best"),
        names="; ".join(c.name for c in tied[:_TIED_SHOWN]),
        more=f" and {more} more" if more > 0 else "",
        these=these,
        seeds=seeds,
    )
    smallest = comparison.smallest
    if smallest and smallest.parameters < best.parameters:
        yield _describe_smallest(comparison, best, smallest, wording)
    if comparison.seeds > 1:
        yield _describe_needed(comparison)


def _describe_smallest(
    comparison: WinnerComparison, best: Configuration, smallest: Configuration, wording: Wording
) -> Sentence:
    far = wording.points(best.value - smallest.value)  # of very many, it may be none of the rivals
    differences = (wording.difference(d) for c, d in comparison.rivals if c.trial == smallest.trial)
    return sentence(
        "The smallest of them is {name}: {parameters} parameters, {times} times fewer, {value} ({seeds}), {behind} "
        "points behind: not shown to be worse, which does not show it to be as good.",
        name=smallest.name,
        parameters=smallest.parameters,
        times=number(best.parameters / smallest.parameters, f"{best.parameters / smallest.parameters:.1f}"),
        value=wording.with_interval(smallest),
        seeds=how_many(comparison.seeds, "seed"),
        behind=next(differences, far),
    )


def _describe_needed(comparison: WinnerComparison) -> Sentence:
    needed = comparison.seeds_needed
    if not needed:
        return sentence("How many more seeds would tell all of them from it cannot be said from these seeds and rows.")
    return sentence(
        "About {more} for each ({option}) would probably tell all of them from it, if the differences are what they "
        "seem.",
        more=how_many(needed, "more seed"),
        option=code(f"--seeds {comparison.seeds_asked + needed}"),
    )


def _describe_limits(conclusion: Conclusion) -> Iterator[Block]:
    if conclusion.cautions:
        yield bullets(sentence("Of the data: {caution}.", caution=caution) for caution in conclusion.cautions)
    yield from map(paragraph, _limits(conclusion))


def _limits(conclusion: Conclusion) -> Iterator[Sentence]:
    if conclusion.samples is not None:
        yield sentence(
            "{samples} ({option}). With so few, networks are trained for fewer steps too: this is a look at how things "
            "work, not an answer for the whole data.",
            samples=strong("Training and validation shared {rows} rows only", rows=conclusion.samples),
            option=code("--samples"),
        )
    if 0 < conclusion.validation_rows < _FEW:
        one = 100 / conclusion.validation_rows
        yield sentence(
            "{rows}: one row more is {one} points, and configurations that differ by many points may be tied.",
            rows=strong(
                "All was measured on {rows} validation rows, and so few cannot show much",
                rows=conclusion.validation_rows,
            ),
            one=number(one, f"{one:.2g}"),
        )
    if conclusion.comparison.seeds == 1:
        yield sentence(
            "{one} The intervals above come from the validation rows alone; another draw of the start weights would "
            "move every accuracy by an amount that a single seed cannot show. Take small differences as ties, and "
            "train with more seeds ({option}) before relying on an order.",
            one=strong("There is one seed for every configuration, and one seed cannot carry much."),
            option=code("--seeds 5"),
        )
    else:
        yield sentence(
            "The configurations that were compared were trained with the same {seeds} seeds and measured on the same "
            "rows; the accuracies are means over the seeds. The intervals hold for other seeds and for other rows.",
            seeds=conclusion.comparison.seeds,
        )
    if conclusion.search:
        yield sentence(
            "The search judged most configurations by one seed and few epochs: one that learns slowly may have been "
            "left behind. What is concluded stands on the finalists alone, trained with seeds that the search had not "
            "seen; the validation rows, though, are those that chose them."
        )
    if conclusion.comparison.rivals:
        yield _describe_confidence(conclusion.comparison)


def _describe_confidence(comparison: WinnerComparison) -> Sentence:
    with_these = ", with these seeds" if comparison.seeds == 1 else ""
    return join(
        (
            sentence(
                "The ± of a comparison with the best is how far a configuration must be behind to be given up. At 95 % "
                "for all of them together the best one is not; and where all are equally good{with_these}, one alone "
                "is called the best in at most one suite of twenty.",
                with_these=with_these,
            ),
            sentence(
                "The ± of what a setting did holds for all its values together, of each setting on its own. The best "
                "of several is partly the luckiest: its validation accuracy flatters it a little, its test accuracy "
                "does not. The chance of being the best reckons with how uncertain every accuracy is: one that the "
                "seeds leave open may have a better chance than one that was measured a little higher."
            ),
        )
    )
