"""The experiments, a search and the depths in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlplab.lab.analysis.findings import (
    Configuration,
    DepthComparison,
    Effect,
    ExperimentResult,
    Exploration,
    Interaction,
)
from mlplab.lab.report.document import (
    Block,
    Fact,
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
from mlplab.lab.report.wording import Wording
from mlplab.utils.text import how_many

#: Rows of a table at most: the best ones. And of the table of a search.
_MOST, _MOST_TRIED = 50, 10
#: What a setting is called in a sentence, where its name alone would not do.
_SPOKEN = {
    "hidden_layer_sizes": "the hidden layers",
    "learning_rate": "the schedule of the learning rate",
    "learning_rate_init": "the learning rate",
}


def describe_experiment(experiment: ExperimentResult, seeds: int, wording: Wording) -> Iterator[Block]:
    """Yield the result of an experiment; `seeds` is the number its configurations should have."""
    yield Heading(3, experiment.title)
    if not experiment.configurations:
        yield paragraph(sentence("No trial of this experiment was trained to its end."))
        return
    effects = [_describe_effect(effect, wording) for effect in experiment.effects]
    interactions = [_describe_interaction(interaction, wording) for interaction in experiment.interactions]
    if found := [*effects, *interactions, *_describe_costs(experiment)]:
        yield paragraph(*found)
    scatter = [f"scatter of seeds{wording.unit}"] if seeds > 1 else []
    yield table(
        [
            "configuration",
            f"validation {wording.name}",
            "95 % interval",
            *scatter,
            "validation loss",
            "parameters",
            "seconds",
        ],
        [_row(c, seeds, wording) for c in experiment.configurations[:_MOST]],
    )
    if len(experiment.configurations) > _MOST:
        yield _and_more(len(experiment.configurations) - _MOST)


def _row(configuration: Configuration, seeds: int, wording: Wording) -> list[str]:
    cells = wording.cells(configuration, seeds)
    if seeds == 1:
        return cells
    scatter = "" if configuration.spread is None else wording.scatter(configuration.spread).text
    return [*cells[:3], scatter, *cells[3:]]


def _and_more(count: int) -> Block:
    return paragraph(sentence("And {count} more: see {file}.", count=count, file=code("results.csv")))


def _describe_effect(effect: Effect, wording: Wording) -> Sentence:
    (best, high), (worst, low) = effect.values[0], effect.values[-1]
    what, seeds = _spoken(effect.setting), how_many(effect.difference.seeds, "seed")
    if high == low:
        return sentence(
            "All values of {what} have the same mean {metric}, {value}.",
            what=what,
            metric=wording.name,
            value=wording.value(high),
        )
    values: dict[str, Fact] = {
        "best": best,
        "high": wording.value(high),
        "worst": worst,
        "low": wording.value(low),
        "seeds": seeds,
    }
    if not effect.difference.clear:
        return sentence(
            "Of {what}, the best value ({best}, {high}) and the worst ({worst}, {low}) differ by {size} points "
            "({seeds}): that cannot be told from chance.",
            what=what,
            size=wording.difference(effect.difference),
            **values,
        )
    return sentence(
        "Of {what}, the best value is {best}, {high}, and the worst {worst}, {low}, {size} points behind "
        "({seeds}).{trend}",
        what=what,
        size=wording.difference(effect.difference),
        trend=_describe_trend(effect, wording),
        **values,
    )


def _describe_trend(effect: Effect, wording: Wording) -> str:
    steps = len(effect.values) - 1
    if effect.trend is None or steps < 2:
        return ""
    if effect.trend == "mixed":
        return f" From value to value, the mean {wording.name} neither always rises nor always falls."
    sizes = "the total number of their units" if effect.setting == "hidden_layer_sizes" else "it"
    clear = {0: "none", steps: "all"}.get(effect.clear_steps, str(effect.clear_steps))
    verb = "is" if effect.clear_steps < 2 else "are"
    return (
        f" The mean {wording.name} {effect.trend} with {sizes} from value to value; {clear} of its {steps} steps "
        f"{verb} clear."
    )


def _spoken(setting: str) -> str:
    return _SPOKEN.get(setting, setting.replace("_", " "))


def _describe_interaction(interaction: Interaction, wording: Wording) -> Sentence:
    return sentence(
        "The best value of {what} depends on {other}: {best} (where they differ most, the difference of the "
        "differences is {size} points, {seeds}).",
        what=_spoken(interaction.setting),
        other=_spoken(interaction.other),
        best=", ".join(f"{value} with {of}" for of, value in interaction.best),
        size=wording.difference(interaction.difference),
        seeds=how_many(interaction.difference.seeds, "seed"),
    )


def _describe_costs(experiment: ExperimentResult) -> Iterator[Sentence]:
    best = experiment.configurations[0]
    smallest = min(experiment.configurations, key=lambda c: c.parameters)
    if smallest.parameters < best.parameters:
        larger, longer = best.parameters / smallest.parameters, best.seconds / max(smallest.seconds, 0.001)
        yield sentence(
            "The best has {larger} times the parameters of the smallest ({name}) and took {longer} times as long.",
            larger=number(larger, f"{larger:.1f}"),
            name=smallest.name,
            longer=number(longer, f"{longer:.1f}"),
        )


def describe_search(search: Exploration, wording: Wording) -> Iterator[Block]:
    """Yield the configurations that a search tried."""
    yield paragraph(
        sentence(
            "{tried} configurations, each with one seed, {epochs} epochs in all.",
            tried=search.tried,
            epochs=search.epochs,
        ),
        _describe_reached(search),
    )
    yield table(
        ["configuration", "epochs", f"validation {wording.name}", "validation loss", "parameters"],
        [
            [c.name, f"{epochs}", wording.value(c.value).text, f"{c.val_loss:.4f}", f"{c.parameters:,}"]
            for c, epochs in search.configurations[:_MOST_TRIED]
        ],
    )
    if len(search.configurations) > _MOST_TRIED:
        yield _and_more(len(search.configurations) - _MOST_TRIED)


def _describe_reached(search: Exploration) -> Sentence:
    """Return how far the configurations were trained, and whether it was far enough."""
    (most, _), *_ = search.reached
    if len(search.reached) == 1:
        reached = sentence("All were trained for {epochs}, none for more.", epochs=how_many(most, "epoch"))
    else:
        stand = ", ".join(f"{count:,} after {epochs}" for epochs, count in reversed(search.reached))
        reached = sentence(
            "The better ones were trained on, again and again; they stand where they were left: {stand} epochs.",
            stand=stand,
        )
    if most >= search.whole:
        return reached
    warning = sentence(
        "{warning}, and who does well at first need not do so in the end.",
        warning=strong(
            "No configuration came to the end of a training, {whole}: the budget was too small for that",
            whole=how_many(search.whole, "epoch"),
        ),
    )
    return join((reached, warning))


def describe_depths(depths: Sequence[DepthComparison], wording: Wording) -> Iterator[Block]:
    """Yield the comparisons of depths."""
    yield paragraph(
        sentence(
            "Where trials differ in their hidden layers alone, the mean validation {metric} by depth, with the number "
            "of configurations behind it. Their widths may differ too: the difference is between these "
            "configurations, and depth is not all that it may come from.",
            metric=wording.name,
        )
    )
    yield bullets(_describe_depth(comparison, wording) for comparison in depths)


def _describe_depth(comparison: DepthComparison, wording: Wording) -> Sentence:
    difference = comparison.difference
    means = (
        sentence(
            "{depth} {mean} ({count})", depth=how_many(depth, "hidden layer"), mean=wording.value(mean), count=count
        )
        for depth, mean, count in comparison.means
    )
    verdict = f"{how_many(comparison.best, 'hidden layer')} ahead" if difference.clear else "cannot be told from chance"
    return sentence(
        "{others}: {means}; {size} points ({seeds}), {verdict}",
        others=comparison.others,
        means=join(means, ", "),
        size=wording.difference(difference),
        seeds=how_many(comparison.seeds, "seed"),
        verdict=verdict,
    )
