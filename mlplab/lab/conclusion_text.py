"""A conclusion in words: Markdown that reads well on a terminal too."""

from __future__ import annotations

from collections.abc import Iterator

from mlplab.lab.findings import (
    Answer,
    Conclusion,
    Configuration,
    DepthComparison,
    Difference,
    Effect,
    Exploration,
    Interaction,
    Test,
)
from mlplab.text import chance, count, describe_seconds, percent, points

#: Rows of a table at most: the best ones.
_MOST = 50
#: And of that of a search.
_MOST_TRIED = 10
#: What a setting is called in a sentence.
_SPOKEN = {
    "hidden_layer_sizes": "hidden layers",
    "learning_rate": "schedule of the learning rate",
    "learning_rate_init": "learning rate",
}


def to_markdown(conclusion: Conclusion) -> str:
    """Return the whole conclusion."""
    parts = [f"# {conclusion.title}", *_best(conclusion), "## The experiments"]
    for answer in conclusion.answers:
        parts += _answer(answer, conclusion)
    if conclusion.search:
        parts += ["### What the search tried", *_search(conclusion.search)]
    if conclusion.depths:
        parts += ["### Depth, across the experiments", *_depths(conclusion)]
    if conclusion.not_done:
        parts += ["## What did not end well", _list(f"`{a}`: {b}: {c}" for a, b, c in conclusion.not_done)]
    parts += ["## How far this can be trusted", *_caveats(conclusion)]
    return "\n\n".join(parts) + "\n"


def _best(conclusion: Conclusion) -> Iterator[str]:
    best, test = conclusion.best, conclusion.test
    if best is None:
        yield "No trial was trained to its end, so there is nothing to conclude."
        return
    tied = [c for c, _ in conclusion.rivals if c.trial in conclusion.tied]
    others = len(conclusion.tied) - 1
    ahead = f", tied with {others} other{'s' * (others > 1)}" if tied else ""
    yield (
        f"**The best configuration is {best.name}{ahead}** (`{best.label}`): {_accuracy(best)} of "
        f"{conclusion.validation_rows:,} validation rows right{_spread(best)}, {best.val_loss:.4f} nats a row. It has "
        f"{best.parameters:,} parameters and took {describe_seconds(best.seconds)} to train."
    )
    if test:
        yield _test(test, len({opening.trial for opening in conclusion.openings}))
    else:
        yield "The test rows stay closed until every trial has been trained: run the suite again."
    if conclusion.rivals:
        yield "The next ones, how far the best is ahead of them, and how likely each is to be the best:"
        yield _table(
            ["configuration", "validation accuracy", "95 % interval", "behind the best (points)", "best", "parameters"],
            [
                [*_cells(c, conclusion)[:3], _difference(d) if d else "", _chance(c), f"{c.parameters:,}"]
                for c, d in [(best, None), *conclusion.rivals[:5]]
            ],
        )
        yield from _tied(conclusion, tied)
    if conclusion.left_out:
        yield f"Not compared with it, for they lack seeds or are far behind: {conclusion.left_out:,} configurations."
    yield f"Training took {describe_seconds(conclusion.seconds)} of one core in all."


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
    seeds = count(conclusion.seeds, "seed")
    these = " of these very networks" if conclusion.seeds == 1 else ""
    if not tied:
        yield (
            "All others are behind it by more than chance explains, with 95 % confidence for all of them together "
            f"({seeds}{these})."
        )
        return
    more = f" and {len(conclusion.tied) - 1 - 8} more" if len(conclusion.tied) - 1 > 8 else ""
    yield (
        f"**Tied with the best**: {'; '.join(c.name for c in tied[:8])}{more}. With 95 % confidence for all "
        f"comparisons together, the best one{these} is it or one of these ({seeds})."
    )
    if smallest and smallest.parameters < best.parameters:
        yield (
            f"The smallest of them is {smallest.name}: {smallest.parameters:,} parameters, "
            f"{best.parameters / smallest.parameters:.1f} times fewer, {_accuracy(smallest)} ({seeds})."
        )
    if conclusion.seeds > 1:
        needed = conclusion.seeds_needed
        yield (
            f"About {needed} more seeds for each (`--seeds {conclusion.seeds + needed}`) would tell all of them from "
            "it, if the differences are what they seem."
            if needed
            else "No number of seeds would tell all of them from it: they are too much alike on these validation rows."
        )


def _chance(configuration: Configuration) -> str:
    return "" if configuration.chance is None else chance(configuration.chance)


def _accuracy(configuration: Configuration) -> str:
    """Return an accuracy with its interval."""
    if configuration.interval is None:
        return percent(configuration.val_accuracy)
    low, high = configuration.interval
    return f"{percent(configuration.val_accuracy)} (95 % interval {percent(low)} to {percent(high)})"


def _spread(configuration: Configuration) -> str:
    if configuration.spread is None:
        return " (1 seed)"
    return f" (mean of {configuration.seeds} seeds, which scatter by {100 * configuration.spread:.2f} points)"


def _cells(c: Configuration, conclusion: Conclusion) -> list[str]:
    name = c.name if c.seeds == conclusion.seeds else f"{c.name} ({c.seeds} of {conclusion.seeds} seeds)"
    interval = f"{100 * c.interval[0]:.2f} to {100 * c.interval[1]:.2f}" if c.interval else ""
    return [name, percent(c.val_accuracy), interval, f"{c.val_loss:.4f}", f"{c.parameters:,}", f"{c.seconds:.1f}"]


def _difference(difference: Difference) -> str:
    return points(difference.points, difference.margin)


def _answer(answer: Answer, conclusion: Conclusion) -> Iterator[str]:
    yield f"### {answer.title}"
    if not answer.configurations:
        yield "No trial of this experiment was trained to its end."
        return
    told = [*map(_effect, answer.effects), *map(_interaction, answer.interactions), *_costs(answer)]
    if told:
        yield " ".join(told)
    scatter = ["scatter of seeds (points)"] if conclusion.seeds > 1 else []
    yield _table(
        ["configuration", "validation accuracy", "95 % interval", *scatter, "validation loss", "parameters", "seconds"],
        [
            [*_cells(c, conclusion)[:3], *_scatter(c, scatter), *_cells(c, conclusion)[3:]]
            for c in answer.configurations[:_MOST]
        ],
    )
    if len(answer.configurations) > _MOST:
        yield f"And {len(answer.configurations) - _MOST:,} more: see `results.csv`."


def _effect(effect: Effect) -> str:
    (best, high), (worst, low) = effect.values[0], effect.values[-1]
    what = _spoken(effect.setting)
    size = f"{_difference(effect.difference)} points"
    seeds = count(effect.difference.seeds, "seed")
    sizes = "the total number of their units" if effect.setting == "hidden_layer_sizes" else "it"
    if high == low:
        return f"For the {what}, all values have the same mean accuracy, {percent(high)}."
    if not effect.difference.clear:
        return (
            f"For the {what}, the best value ({best}, {percent(high)}) and the worst ({worst}, {percent(low)}) "
            f"differ by {size} ({seeds}): that cannot be told from chance."
        )
    steps = len(effect.values) - 1
    how_many = {0: "none", steps: "all"}.get(effect.clear_steps, str(effect.clear_steps))
    clear = f"{how_many} of its {steps} steps {'is' if effect.clear_steps < 2 else 'are'} clear"
    trend = {
        "rises": f" The mean accuracy rises with {sizes} from value to value; {clear}.",
        "falls": f" The mean accuracy falls with {sizes} from value to value; {clear}.",
        "mixed": " From value to value, it neither always rises nor always falls.",
        None: "",
    }[effect.trend if steps > 1 else None]
    return (
        f"The best {what}: {best}, {percent(high)}; the worst: {worst}, {percent(low)}, {size} behind ({seeds}).{trend}"
    )


def _spoken(setting: str) -> str:
    return _SPOKEN.get(setting, setting.replace("_", " "))


def _scatter(configuration: Configuration, column: list[str]) -> list[str]:
    spread = configuration.spread
    return ["" if spread is None else f"{100 * spread:.2f}" for _ in column]


def _interaction(interaction: Interaction) -> str:
    what, other = _spoken(interaction.setting), _spoken(interaction.other)
    best = ", ".join(f"{value} with {of}" for of, value in interaction.best)
    return (
        f"The best {what} depends on the {other}: {best} (where they differ most, the difference of the differences is "
        f"{_difference(interaction.difference)} points, {count(interaction.difference.seeds, 'seed')})."
    )


def _search(search: Exploration) -> Iterator[str]:
    reached = ", ".join(f"{count:,} after {epochs}" for epochs, count in reversed(search.reached))
    yield (
        f"{search.tried:,} configurations, each with one seed, {search.epochs:,} epochs in all. The better ones were "
        f"trained on, again and again; they stand where they were left: {reached} epochs."
    )
    yield _table(
        ["configuration", "epochs", "validation accuracy", "validation loss", "parameters"],
        [
            [c.name, f"{epochs}", percent(c.val_accuracy), f"{c.val_loss:.4f}", f"{c.parameters:,}"]
            for c, epochs in search.configurations[:_MOST_TRIED]
        ],
    )
    if len(search.configurations) > _MOST_TRIED:
        yield f"And {len(search.configurations) - _MOST_TRIED:,} more: see `results.csv`."


def _depths(conclusion: Conclusion) -> Iterator[str]:
    yield (
        "Where trials differ in their hidden layers alone, the mean validation accuracy by depth, with the number of "
        "configurations behind it. Their widths differ too: the difference is between these configurations, and depth "
        "is not all that it may come from."
    )
    yield _list(
        f"{comparison.others}: "
        + ", ".join(f"{_layers(depth)} {percent(mean)} ({count})" for depth, mean, count in comparison.means)
        + _depth_difference(comparison)
        for comparison in conclusion.depths
    )


def _depth_difference(comparison: DepthComparison) -> str:
    difference = comparison.difference
    verdict = f"{_layers(comparison.best)} ahead" if difference.clear else "cannot be told from chance"
    return f"; {_difference(difference)} points ({count(comparison.seeds, 'seed')}), {verdict}"


def _layers(depth: int) -> str:
    return f"{depth} hidden layer{'' if depth == 1 else 's'}"


def _costs(answer: Answer) -> Iterator[str]:
    best = answer.configurations[0]
    smallest = min(answer.configurations, key=lambda c: c.parameters)
    if smallest.parameters < best.parameters:
        yield (
            f"The best has {best.parameters / smallest.parameters:.1f} times the parameters of the smallest "
            f"({smallest.name}) and took {best.seconds / max(smallest.seconds, 0.001):.1f} times as long."
        )


def _caveats(conclusion: Conclusion) -> Iterator[str]:
    if conclusion.samples is not None:
        yield (
            f"**Training and validation shared {conclusion.samples:,} rows only** (`--samples`). With so few, networks "
            "are trained for fewer steps too: this is a look at how things work, not an answer for the whole data."
        )
    if conclusion.seeds == 1:
        yield (
            "**Every configuration was trained once, with one seed, and one seed cannot carry much.** The intervals "
            "above come from the validation rows alone; another draw of the start weights would move every accuracy "
            "by an amount that a single seed cannot show. Take small differences as ties, and train with more seeds "
            "(`--seeds 5`) before relying on an order."
        )
    else:
        yield (
            f"The configurations were trained with the same {conclusion.seeds} seeds and measured on the same rows; "
            "the accuracies are means over the seeds. The intervals hold for other seeds and for other rows."
        )
    if conclusion.search:
        yield (
            "The search judged most configurations by one seed and few epochs: one that learns slowly may have been "
            "left behind. What is concluded stands on the finalists alone, trained with seeds that the search had not "
            "seen; the validation rows, though, are those that chose them."
        )
    yield (
        "The ± of the comparisons with the best holds for all of them together, at 95 %: where all are equally good"
        f"{', with these seeds' * (conclusion.seeds == 1)}, one alone is called the best in at most one suite of "
        "twenty. The ± of what a setting did holds for all its values together, of each setting on its own. The best "
        "of several is partly the luckiest: its validation accuracy flatters it a little, its test accuracy does not."
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * w if k == 0 else "-" * (w - 1) + ":") for k, w in enumerate(widths)]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])


def _list(items: Iterator[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
