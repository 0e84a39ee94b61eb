"""What the experiments showed, in words."""

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
from mlplab.lab.report.markdown import bullets, cells, describe_difference, table
from mlplab.utils.text import how_many, percent

#: Rows of a table at most: the best ones.
_MOST = 50
#: And of that of a search.
_MOST_TRIED = 10
#: What a setting is called in a sentence, where its name alone would not do.
_SPOKEN = {
    "hidden_layer_sizes": "the hidden layers",
    "learning_rate": "the schedule of the learning rate",
    "learning_rate_init": "the learning rate",
}


def experiment_text(answer: ExperimentResult, seeds: int) -> Iterator[str]:
    """Yield what an experiment showed; `seeds` is how many its configurations should have."""
    yield f"### {answer.title}"
    if not answer.configurations:
        yield "No trial of this experiment was trained to its end."
        return
    told = [*map(_effect, answer.effects), *map(_interaction, answer.interactions), *_costs(answer)]
    if told:
        yield " ".join(told)
    scatter = ["scatter of seeds (points)"] if seeds > 1 else []
    yield table(
        ["configuration", "validation accuracy", "95 % interval", *scatter, "validation loss", "parameters", "seconds"],
        [[*cells(c, seeds)[:3], *_scatter(c, scatter), *cells(c, seeds)[3:]] for c in answer.configurations[:_MOST]],
    )
    if len(answer.configurations) > _MOST:
        yield f"And {len(answer.configurations) - _MOST:,} more: see `results.csv`."


def _effect(effect: Effect) -> str:
    (best, high), (worst, low) = effect.values[0], effect.values[-1]
    what = _spoken(effect.setting)
    size = f"{describe_difference(effect.difference)} points"
    seeds = how_many(effect.difference.seeds, "seed")
    sizes = "the total number of their units" if effect.setting == "hidden_layer_sizes" else "it"
    if high == low:
        return f"All values of {what} have the same mean accuracy, {percent(high)}."
    if not effect.difference.clear:
        return (
            f"Of {what}, the best value ({best}, {percent(high)}) and the worst ({worst}, {percent(low)}) "
            f"differ by {size} ({seeds}): that cannot be told from chance."
        )
    steps = len(effect.values) - 1
    clear_ones = {0: "none", steps: "all"}.get(effect.clear_steps, str(effect.clear_steps))
    clear = f"{clear_ones} of its {steps} steps {'is' if effect.clear_steps < 2 else 'are'} clear"
    trend = {
        "rises": f" The mean accuracy rises with {sizes} from value to value; {clear}.",
        "falls": f" The mean accuracy falls with {sizes} from value to value; {clear}.",
        "mixed": " From value to value, the mean accuracy neither always rises nor always falls.",
        None: "",
    }[effect.trend if steps > 1 else None]
    return (
        f"Of {what}, the best value is {best}, {percent(high)}, and the worst {worst}, {percent(low)}, {size} behind "
        f"({seeds}).{trend}"
    )


def _spoken(setting: str) -> str:
    return _SPOKEN.get(setting, setting.replace("_", " "))


def _scatter(configuration: Configuration, column: list[str]) -> list[str]:
    spread = configuration.spread
    return ["" if spread is None else f"{100 * spread:.2f}" for _ in column]


def _interaction(interaction: Interaction) -> str:
    what, other = _spoken(interaction.setting), _spoken(interaction.other)
    best = ", ".join(f"{value} with {of}" for of, value in interaction.best)
    size = f"{describe_difference(interaction.difference)} points, {how_many(interaction.difference.seeds, 'seed')}"
    return (
        f"The best value of {what} depends on {other}: {best} (where they differ most, the difference of the "
        f"differences is {size})."
    )


def search_text(search: Exploration) -> Iterator[str]:
    """Yield what a search tried."""
    yield f"{search.tried:,} configurations, each with one seed, {search.epochs:,} epochs in all. {_reached(search)}"
    yield table(
        ["configuration", "epochs", "validation accuracy", "validation loss", "parameters"],
        [
            [c.name, f"{epochs}", percent(c.val_accuracy), f"{c.val_loss:.4f}", f"{c.parameters:,}"]
            for c, epochs in search.configurations[:_MOST_TRIED]
        ],
    )
    if len(search.configurations) > _MOST_TRIED:
        yield f"And {len(search.configurations) - _MOST_TRIED:,} more: see `results.csv`."


def _reached(search: Exploration) -> str:
    """Say how far they were trained, and if it was not far enough."""
    (most, _), *_ = search.reached
    if len(search.reached) == 1:
        told = f"All were trained for {how_many(most, 'epoch')}, none for more."
    else:
        stand = ", ".join(f"{number:,} after {epochs}" for epochs, number in reversed(search.reached))
        told = f"The better ones were trained on, again and again; they stand where they were left: {stand} epochs."
    if most < search.whole:
        told += (
            f" **No configuration came to the end of a training, {how_many(search.whole, 'epoch')}: the budget was too "
            "small for that**, and who does well at first need not do so in the end."
        )
    return told


def depths_text(depths: Sequence[DepthComparison]) -> Iterator[str]:
    """Yield what depth did."""
    yield (
        "Where trials differ in their hidden layers alone, the mean validation accuracy by depth, with the number of "
        "configurations behind it. Their widths may differ too: the difference is between these configurations, and "
        "depth is not all that it may come from."
    )
    yield bullets(
        f"{comparison.others}: "
        + ", ".join(
            f"{how_many(depth, 'hidden layer')} {percent(mean)} ({count})" for depth, mean, count in comparison.means
        )
        + _depth_difference(comparison)
        for comparison in depths
    )


def _depth_difference(comparison: DepthComparison) -> str:
    difference = comparison.difference
    verdict = f"{how_many(comparison.best, 'hidden layer')} ahead" if difference.clear else "cannot be told from chance"
    return f"; {describe_difference(difference)} points ({how_many(comparison.seeds, 'seed')}), {verdict}"


def _costs(answer: ExperimentResult) -> Iterator[str]:
    best = answer.configurations[0]
    smallest = min(answer.configurations, key=lambda c: c.parameters)
    if smallest.parameters < best.parameters:
        yield (
            f"The best has {best.parameters / smallest.parameters:.1f} times the parameters of the smallest "
            f"({smallest.name}) and took {best.seconds / max(smallest.seconds, 0.001):.1f} times as long."
        )
