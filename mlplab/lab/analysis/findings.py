"""The facts of a conclusion, frozen, and how `conclusion.json` holds them.

Measures are those of the suite's metric. In JSON their keys carry its name: `val_accuracy` where it is accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from mlplab.lab.analysis.plain import from_plain, to_plain

#: The version of the layout of `conclusion.json`; files without one have the first, of 0.1.0.
FORMAT = 2


@dataclass(frozen=True)
class Configuration:
    """The measures of a configuration, means over its seeds.

    Attributes:
        name: the settings that vary, in words. label: of its first trial. trial: the id of that trial.
        seeds: the number of seeds.
        value: the validation value of the metric. val_loss: the validation loss, in nats a row. seconds: of training.
        spread: the standard deviation of `value` over the seeds, None for one seed.
        parameters: of each network.
        interval: the 95 % interval of `value`. chance: the probability of being the best of all. Both are None for a
            configuration that was not compared.
    """

    name: str
    label: str
    trial: str
    seeds: int
    value: float = field(metadata={"key": "val_{metric}"})
    val_loss: float
    spread: float | None
    parameters: int
    seconds: float
    interval: tuple[float, float] | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Difference:
    """A difference of two values of the metric, of the same seeds and the same validation rows.

    Attributes:
        value: in units of the metric.
        margin: the difference is clear where it exceeds this: for other seeds and other rows, with one seed for other
            rows. For a rival of the winner it is chosen so that the best configuration is kept with 95 % confidence for
            all rivals together. Elsewhere it is half the width of a 95 % interval, which holds for all differences that
            this one was picked from: the values of a setting, the depths.
        seeds: the number of seeds it is the mean of.
    """

    value: float
    margin: float
    seeds: int

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.value) > self.margin


@dataclass(frozen=True)
class Effect:
    """The effect of one setting in one experiment.

    Attributes:
        setting: its name.
        values: each value in words with the mean of the metric over all it was combined with; best first.
        difference: of the best and the worst value.
        trend: "rises", "falls" or "mixed", in the order of size; None for values without one.
        clear_steps: for a trend that rises or falls, the number of steps from value to value that are clear.
    """

    setting: str
    values: tuple[tuple[str, float], ...]
    difference: Difference
    trend: str | None
    clear_steps: int = 0


@dataclass(frozen=True)
class Interaction:
    """Two settings where the best value of one depends on the other.

    Attributes:
        setting, other: their names.
        best: for each value of the other, in words, the best one of the setting.
        difference: of the differences, where they are the largest and both clear, corrected for how many there are.
    """

    setting: str
    other: str
    best: tuple[tuple[str, str], ...]
    difference: Difference


@dataclass(frozen=True)
class ExperimentResult:
    """The result of an experiment: its configurations, best first, the effects of its settings, the interactions."""

    name: str
    title: str
    configurations: tuple[Configuration, ...]
    effects: tuple[Effect, ...]
    interactions: tuple[Interaction, ...] = ()


@dataclass(frozen=True)
class Exploration:
    """The configurations that a search tried before it chose its finalists, each with one seed.

    Attributes:
        tried: the number of configurations. epochs: made by all of them together.
        reached: numbers of epochs, the most first, with how many configurations were trained so far and no further.
        whole: the epochs of a training to its end.
        configurations: with their epochs, the one with the best validation value first.
    """

    tried: int
    epochs: int
    reached: tuple[tuple[int, int], ...]
    whole: int
    configurations: tuple[tuple[Configuration, int], ...]


@dataclass(frozen=True)
class DepthComparison:
    """The effect of depth where everything else was the same, over all experiments.

    Attributes:
        others: the other settings that vary, in words.
        means: for each depth the mean of the metric and the number of configurations behind it.
        seeds: the number of seeds that all of them are means of.
        best: the depth with the best mean. difference: how far it is ahead of the worst.
    """

    others: str
    means: tuple[tuple[int, float, int], ...]
    seeds: int
    best: int
    difference: Difference


@dataclass(frozen=True)
class ValidationCurve:
    """The validation loss of a configuration during training, in nats a row, a mean over its seeds.

    Attributes:
        epochs: the number of epochs. best_epoch: the one after which the loss was lowest.
        lowest: the loss then. last: the loss at the end.
    """

    epochs: int
    best_epoch: int
    lowest: float
    last: float


@dataclass(frozen=True)
class TestEvaluation:
    """An evaluation of the networks of one configuration on the test set.

    Attributes:
        trial: that of the lowest seed. right: the rows that its network classified correctly, out of `rows`.
        value: the metric, a mean over all networks. interval: its 95 % interval, for other seeds and rows; with one
            seed for other rows.
        opened: the time of the evaluation.
        seeds: the number of networks. spread: the standard deviation of their values, None for one.
    """

    __test__ = False  # no class of tests

    trial: str
    right: int
    rows: int
    value: float = field(metadata={"key": "{metric}"})
    interval: tuple[float, float]
    opened: str
    seeds: int = 1
    spread: float | None = None


@dataclass(frozen=True)
class Winner:
    """The configuration with the best mean validation value.

    Attributes:
        configuration: its measures.
        validation_curve: of its training; None where early stopping decided when it ended.
        test: its networks on the test set; None while a trial waits or has failed.
    """

    configuration: Configuration
    validation_curve: ValidationCurve | None
    test: TestEvaluation | None


@dataclass(frozen=True)
class WinnerComparison:
    """The comparison of the winner with the others.

    Attributes:
        seeds: the number of seeds of all that were compared.
        rivals: the next configurations, each with how far the winner is ahead of it.
        tied: the trials of those that cannot be told from the winner, it included, the best first.
        smallest: of these, the one with the fewest parameters.
        seeds_needed: see `mlplab.stats.comparison.Comparison`. seeds_asked: the number of seeds of the suite.
        left_out: the configurations that were not compared because their seeds are not those of the winner.
        cut: the configurations that were not compared because only the best are.
    """

    seeds: int
    rivals: tuple[tuple[Configuration, Difference], ...]
    tied: tuple[str, ...]
    smallest: Configuration | None
    seeds_needed: int | None
    seeds_asked: int
    left_out: int
    cut: int


@dataclass(frozen=True)
class Conclusion:
    """Everything that `conclusion.md` reports.

    Attributes:
        suite, title: of the suite. metric: what its configurations are chosen by.
        digest: of the results it was drawn from.
        samples: the rows that training and validation shared; None is all.
        validation_rows: the rows that all values were measured on.
        winner: None where no trial was done.
        comparison: of the winner with the others.
        experiments: the result of each, in their order.
        search: the configurations tried before, if there was a search.
        depths: comparisons of depths across the experiments.
        test_evaluations: every evaluation on the test set there ever was in this run folder.
        not_done: label, status and reason of every trial that diverged, failed or waits.
        cautions: notes on the data.
        seconds: of training, on one core.
    """

    suite: str
    title: str
    metric: str
    digest: str
    samples: int | None
    validation_rows: int
    winner: Winner | None
    comparison: WinnerComparison
    experiments: tuple[ExperimentResult, ...]
    search: Exploration | None
    depths: tuple[DepthComparison, ...]
    test_evaluations: tuple[TestEvaluation, ...]
    not_done: tuple[tuple[str, str, str], ...]
    cautions: tuple[str, ...]
    seconds: float
    format: int = field(default=FORMAT)

    @property
    def best(self) -> Configuration | None:
        """The configuration of the winner."""
        return self.winner.configuration if self.winner else None

    def to_json(self) -> dict[str, Any]:
        """Return the content of `conclusion.json`."""
        content: dict[str, Any] = to_plain(self, self.metric)
        return content

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Return the conclusion that `to_json` was called on, or that version 0.1.0 wrote.

        Raises:
            ValueError, TypeError, KeyError: for content that is none.
        """
        if not isinstance(content, Mapping):
            raise TypeError(f"expected a table; got {content!r}")
        if "format" not in content:
            content = _from_first_format(content)
        if content["format"] != FORMAT:
            raise ValueError(f"conclusion.json has format {content['format']}; this version reads up to {FORMAT}")
        return from_plain(cls, content, content["metric"])


def test_evaluations_from_json(content: object) -> tuple[TestEvaluation, ...]:
    """Return the test-set evaluations in a `conclusion.json`, each on its own: damage to one loses no other."""
    if not isinstance(content, Mapping):
        return ()
    entries = content.get("test_evaluations", content.get("openings"))
    found = []
    for entry in entries if isinstance(entries, list) else ():
        with suppress(TypeError, ValueError, KeyError):
            found.append(from_plain(TestEvaluation, entry, content.get("metric", "accuracy")))
    return tuple(found)


def _from_first_format(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a file of version 0.1.0 in today's layout; its differences were in percentage points."""
    best = old["best"]
    kept = ("suite", "title", "digest", "samples", "validation_rows", "search", "not_done", "cautions", "seconds")
    compared = ("seeds", "tied", "smallest", "seeds_needed", "seeds_asked", "left_out", "cut")
    winner = {"configuration": best, "validation_curve": old["course"], "test": old["test"]}
    rivals = [[configuration, _in_shares(difference)] for configuration, difference in old["rivals"]]
    return {
        **{name: old[name] for name in kept},
        "format": FORMAT,
        "metric": "accuracy",
        "winner": winner if best else None,
        "comparison": {**{name: old[name] for name in compared}, "rivals": rivals},
        "experiments": [
            {**answer, **{part: [_with_shares(one) for one in answer[part]] for part in ("effects", "interactions")}}
            for answer in old["answers"]
        ],
        "depths": [_with_shares(one) for one in old["depths"]],
        "test_evaluations": old["openings"],
    }


def _with_shares(fact: Mapping[str, Any]) -> dict[str, Any]:
    return {**fact, "difference": _in_shares(fact["difference"])}


def _in_shares(difference: Mapping[str, Any]) -> dict[str, Any]:
    return {**difference, "value": difference["points"] / 100, "margin": difference["margin"] / 100}
