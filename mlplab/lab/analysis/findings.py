"""The content of a conclusion as frozen dataclasses, and its layout in `conclusion.json`.

Values are values of the suite's metric. Their keys in JSON contain its name, such as `val_accuracy` for accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from mlplab.lab.analysis.plain import from_plain, to_plain

#: The version of the layout of `conclusion.json`. A file without a version has the first layout, of mlplab 0.1.0.
FORMAT = 2


@dataclass(frozen=True)
class Configuration:
    """The measures of a configuration, means over its seeds.

    Attributes:
        name: the settings that vary, in words.
        label, trial: the label and the id of its first trial.
        seeds: the number of seeds.
        value: the validation value of the metric.
        val_loss: the validation loss, in nats per row.
        spread: the standard deviation of `value` over the seeds; None for one seed.
        parameters: the number of parameters of each network.
        seconds: the training time.
        interval: the 95 % interval of `value`; None if the configuration was not compared.
        chance: the probability that the configuration is the best; None if it was not compared.
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
    """A difference between two values of the metric with the same seeds and the same validation rows.

    Attributes:
        value: the difference, in units of the metric.
        margin: a difference that exceeds its margin is significant: it holds for other seeds and other rows, or only
            for other rows if there is one seed. The margins of the winner's rivals are chosen so that the best
            configuration is not excluded, with 95 % joint confidence. Any other margin is half the width of a 95 %
            interval that holds jointly for all differences from which this one was selected: those between the values
            of a setting, or between depths.
        seeds: the number of seeds that are averaged.
    """

    value: float
    margin: float
    seeds: int

    @property
    def clear(self) -> bool:
        """Whether the difference is significant: it exceeds its margin."""
        return abs(self.value) > self.margin


@dataclass(frozen=True)
class Effect:
    """The effect of one setting in one experiment.

    Attributes:
        setting: the name of the setting.
        values: each value, in words, with the mean of the metric over all combinations with other settings; the best
            value first.
        difference: between the best and the worst value.
        trend: "rises", "falls" or "mixed", in order of increasing size; None for values that have no size.
        clear_steps: for a trend that rises or falls, the number of significant steps between neighbouring values.
    """

    setting: str
    values: tuple[tuple[str, float], ...]
    difference: Difference
    trend: str | None
    clear_steps: int = 0


@dataclass(frozen=True)
class Interaction:
    """A dependence of the best value of one setting on another setting.

    Attributes:
        setting, other: the names of the settings.
        best: for each value of the other setting, in words, the best value of the first.
        difference: the largest difference between two significant differences, corrected for the number of possible
            comparisons.
    """

    setting: str
    other: str
    best: tuple[tuple[str, str], ...]
    difference: Difference


@dataclass(frozen=True)
class ExperimentResult:
    """The result of an experiment: its configurations, the best first, and the effects and interactions of settings."""

    name: str
    title: str
    configurations: tuple[Configuration, ...]
    effects: tuple[Effect, ...]
    interactions: tuple[Interaction, ...] = ()


@dataclass(frozen=True)
class Exploration:
    """The configurations that a search tried before it chose its finalists, each with one seed.

    Attributes:
        tried: the number of configurations.
        epochs: the total number of epochs.
        reached: the numbers of epochs after which trainings stopped, largest first, each with its number of
            configurations.
        whole: the number of epochs of a complete training.
        configurations: each with its number of epochs; the one with the best validation value first.
    """

    tried: int
    epochs: int
    reached: tuple[tuple[int, int], ...]
    whole: int
    configurations: tuple[tuple[Configuration, int], ...]


@dataclass(frozen=True)
class DepthComparison:
    """The effect of depth with all other settings fixed, over all experiments.

    Attributes:
        others: the other settings that vary, in words.
        means: each depth with the mean of the metric and the number of configurations.
        seeds: the number of seeds that are averaged.
        best: the depth with the best mean.
        difference: between the best and the worst depth.
    """

    others: str
    means: tuple[tuple[int, float, int], ...]
    seeds: int
    best: int
    difference: Difference


@dataclass(frozen=True)
class ValidationCurve:
    """The mean validation loss of a configuration during training, in nats per row.

    Attributes:
        epochs: the number of epochs.
        best_epoch: the epoch with the lowest loss.
        lowest: the lowest loss.
        last: the loss after the last epoch.
    """

    epochs: int
    best_epoch: int
    lowest: float
    last: float


@dataclass(frozen=True)
class TestEvaluation:
    """An evaluation of the networks of one configuration on the test set.

    Attributes:
        trial: the id of the trial with the lowest seed.
        right, rows: the number of rows that its network classified correctly, and the number of all test rows.
        value: the mean of the metric over all networks.
        interval: its 95 % interval for other seeds and other rows, or only for other rows if there is one seed.
        opened: the time of the evaluation.
        seeds: the number of networks.
        spread: the standard deviation of their values; None for one network.
    """

    __test__ = False  # pytest takes a class with this name for a test

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
        validation_curve: its mean validation curve; None if early stopping ended its trainings.
        test: its evaluation on the test set; None if it has not been evaluated.
    """

    configuration: Configuration
    validation_curve: ValidationCurve | None
    test: TestEvaluation | None


@dataclass(frozen=True)
class WinnerComparison:
    """The comparison of the winner with the others.

    Attributes:
        seeds: the number of seeds of each configuration that was compared.
        rivals: the configurations that follow the winner, each with the difference between the winner and it.
        tied: the trial ids of the winner and of all configurations that are not significantly worse, the best first.
        smallest: the tied configuration with the fewest parameters.
        seeds_needed: see `mlplab.stats.comparison.Comparison`.
        seeds_asked: the number of seeds of the suite.
        left_out: the number of configurations that were not compared because their seeds differ from the winner's.
        cut: the number of configurations that were not compared because only the best ones are.
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
        suite, title: the name and the title of the suite.
        metric: the name of the metric that ranks its configurations.
        digest: the hash of the results from which it was drawn.
        samples: the number of rows for training and validation together; None for all.
        validation_rows: the number of rows on which all values were measured.
        winner: the best configuration; None if no trial is done.
        comparison: the comparison of the winner with the others.
        experiments: the result of each experiment, in order.
        search: the configurations that a search tried; None without a search.
        depths: the comparisons of depths over all experiments.
        test_evaluations: all test-set evaluations that were ever made in this run folder.
        not_done: label, status and reason of each trial that diverged, failed or is not finished.
        cautions: notes on the data.
        seconds: the total training time, on one core.
        format: the version of the layout.
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
        """Return the conclusion from the content of `conclusion.json`; version 0.1.0 may have written it.

        Raises:
            ValueError, TypeError, KeyError: if the content is not a conclusion.
        """
        if not isinstance(content, Mapping):
            raise TypeError(f"expected a mapping; got {content!r}")
        if "format" not in content:
            content = _from_first_format(content)
        if content["format"] != FORMAT:
            raise ValueError(f"conclusion.json has format {content['format']}; this version reads up to {FORMAT}")
        return from_plain(cls, content, content["metric"])


def test_evaluations_from_json(content: object) -> tuple[TestEvaluation, ...]:
    """Return the test-set evaluations from the content of `conclusion.json`, without those that are damaged."""
    if not isinstance(content, Mapping):
        return ()
    entries = content.get("test_evaluations", content.get("openings"))
    evaluations = []
    for entry in entries if isinstance(entries, list) else ():
        with suppress(TypeError, ValueError, KeyError):
            evaluations.append(from_plain(TestEvaluation, entry, content.get("metric", "accuracy")))
    return tuple(evaluations)


def _from_first_format(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a file of version 0.1.0 in the present layout; its differences are percentage points."""
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
            {**result, **{part: [_with_shares(one) for one in result[part]] for part in ("effects", "interactions")}}
            for result in old["answers"]
        ],
        "depths": [_with_shares(one) for one in old["depths"]],
        "test_evaluations": old["openings"],
    }


def _with_shares(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {**finding, "difference": _in_shares(finding["difference"])}


def _in_shares(difference: Mapping[str, Any]) -> dict[str, Any]:
    return {**difference, "value": difference["points"] / 100, "margin": difference["margin"] / 100}
