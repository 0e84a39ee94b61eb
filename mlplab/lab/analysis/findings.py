"""What a conclusion consists of: frozen facts, written to ``conclusion.json`` as they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Configuration:
    """A configuration's measures, means over its seeds.

    Attributes:
        name: what varies, in words. label: of its first trial. trial: that trial's id.
        seeds: how many. val_accuracy, val_loss, seconds: means. spread: the standard deviation of val_accuracy over
            the seeds, None for one seed.
        interval: of val_accuracy, 95 %. chance: of being the best of all. Both None where it was not compared.
    """

    name: str
    label: str
    trial: str
    seeds: int
    val_accuracy: float
    val_loss: float
    spread: float | None
    parameters: int
    seconds: float
    interval: tuple[float, float] | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Difference:
    """A difference of two accuracies with the same seeds and on the same validation rows.

    Attributes:
        points: in percentage points.
        margin: what it must exceed to be clear, in points, for other seeds and other rows; with one seed, for other
            rows. Of the best to a rival: so that, at 95 % for all of them, the best one is not given up. Otherwise half
            the width of a 95 % interval, which holds for all together that the difference was picked from: a setting's
            values, depths.
        seeds: of which it is the mean.
    """

    points: float
    margin: float
    seeds: int

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.points) > self.margin


@dataclass(frozen=True)
class Effect:
    """What one setting did in one experiment.

    Attributes:
        setting: its name.
        values: each value in words with the mean validation accuracy over all it was combined with; best first.
        difference: of the best and the worst value.
        trend: "rises", "falls" or "mixed", in the order of size; None for values without one.
        clear_steps: of a trend that rises or falls, how many steps from value to value are clear.
    """

    setting: str
    values: tuple[tuple[str, float], ...]
    difference: Difference
    trend: str | None
    clear_steps: int = 0


@dataclass(frozen=True)
class Interaction:
    """Two settings of which the best value of the one depends on the other.

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
    """What an experiment showed: its configurations, best first, what each setting did, and which depend on another."""

    name: str
    title: str
    configurations: tuple[Configuration, ...]
    effects: tuple[Effect, ...]
    interactions: tuple[Interaction, ...] = ()


@dataclass(frozen=True)
class Exploration:
    """What a search tried before it chose its finalists, each configuration with one seed.

    Attributes:
        tried: how many configurations. epochs: that all of them made together.
        reached: numbers of epochs, the most first, with how many configurations were trained so far and no further.
        whole: how many epochs a training to its end has.
        configurations: with their epochs, the one with the highest validation accuracy first.
    """

    tried: int
    epochs: int
    reached: tuple[tuple[int, int], ...]
    whole: int
    configurations: tuple[tuple[Configuration, int], ...]


@dataclass(frozen=True)
class DepthComparison:
    """What depth did where everything else was the same, over all experiments.

    Attributes:
        others: the other settings that vary, in words.
        means: for each depth its mean validation accuracy and how many configurations it is the mean of.
        seeds: of which all of them are means.
        best: the depth with the highest mean. difference: how far it is ahead of the lowest.
    """

    others: str
    means: tuple[tuple[int, float, int], ...]
    seeds: int
    best: int
    difference: Difference


@dataclass(frozen=True)
class ValidationCurve:
    """How the training of a configuration went: the validation loss, in nats a row, a mean over its seeds.

    Attributes:
        epochs: how many there were. best_epoch: after which of them the loss was lowest.
        lowest: the loss then. last: the loss at the end.
    """

    epochs: int
    best_epoch: int
    lowest: float
    last: float


@dataclass(frozen=True)
class Test:
    """The test rows, opened for the networks of one configuration.

    Attributes:
        trial: that of the lowest seed. right: what its network got right of `rows`.
        accuracy: of all networks, the mean. interval: of it, 95 %, for other seeds and rows; with one seed, for other
            rows.
        opened: when they were opened.
        seeds: how many networks there are. spread: the standard deviation of their accuracies, None for one.
    """

    trial: str
    right: int
    rows: int
    accuracy: float
    interval: tuple[float, float]
    opened: str
    seeds: int = 1
    spread: float | None = None


@dataclass(frozen=True)
class Conclusion:
    """Everything that `conclusion.md` says.

    Attributes:
        digest: of the results that it was drawn from.
        samples: how many rows training and validation shared; None is all.
        best: the configuration with the highest mean validation accuracy; None where no trial was done.
        course: how its training went; None where early stopping decided when it ended.
        rivals: the next ones, each with how far the best is ahead of it.
        tied: the trials of those that cannot be told from the best, it included, the best first.
        smallest: of these, the one with the fewest parameters.
        seeds_needed: see `mlplab.stats.comparison.Comparison`.
        seeds_asked: how many the suite has; `seeds` is how many were compared.
        left_out: how many configurations were not compared, for their seeds are not those of the best one.
        cut: how many were not, for only so many of the best are.
        answers: of the experiments, in their order.
        search: what was tried before, if there was a search.
        depths: comparisons of depths across the experiments.
        test: of the best configuration's networks; None while a trial waits or has failed.
        openings: every opening of the test rows there ever was in this run folder.
        not_done: label, status and reason of every trial that did not end well.
        cautions: what is to be known of the data.
    """

    suite: str
    title: str
    digest: str
    samples: int | None
    validation_rows: int
    seeds: int
    best: Configuration | None
    course: ValidationCurve | None
    rivals: tuple[tuple[Configuration, Difference], ...]
    tied: tuple[str, ...]
    smallest: Configuration | None
    seeds_needed: int | None
    seeds_asked: int
    left_out: int
    cut: int
    answers: tuple[ExperimentResult, ...]
    search: Exploration | None
    depths: tuple[DepthComparison, ...]
    test: Test | None
    openings: tuple[Test, ...]
    not_done: tuple[tuple[str, str, str], ...]
    cautions: tuple[str, ...]
    seconds: float
