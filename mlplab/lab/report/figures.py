"""All figures of a run folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator, PercentFormatter

from mlplab.data import Dataset
from mlplab.engine.base import Array
from mlplab.lab.analysis.conclusion import current_conclusion, hash_results
from mlplab.lab.analysis.findings import Winner
from mlplab.lab.report import tables
from mlplab.lab.report.tables import ChosenPredictions, Dot, Tried
from mlplab.lab.report.wording import Wording
from mlplab.lab.storage.results import Results
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import METRICS, Metric, find_metric
from mlplab.plots import plots
from mlplab.plots.plots import COLOURS
from mlplab.utils.atomic import write_text_whole, write_whole
from mlplab.utils.text import true_and_predicted

_FORMATS = ("png", "svg")
_FIGURE_FILES = re.compile(
    r"(samples|search|experiment-\d+-.*|all-trials|confusion-matrices|confident-errors)\.(png|svg)"
)
# With a fixed salt and without a date, the same results give the same files.
_STYLE: Any = {"svg.hashsalt": "mlplab", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}
_SAMPLES = 15
#: Letters of a configuration's name in a line of the overview.
_NAME_WIDTH = 56
_PART_NAMES = {"train": "Training", "validation": "Validation", "test": "Test"}


def draw_figures(results: Results, dataset: Dataset | None) -> list[Path]:
    """Draw all figures of a run to its folder, as PNG and SVG, and return the files.

    Figures of earlier results that are not drawn any more are removed.

    Args:
        results: the results of the suite.
        dataset: provides the images of samples and of the most confident errors; None if its rows are not images.
    """
    folder, written = results.folder, list[Path]()
    with rc_context(_STYLE):
        for name, draw in figures_of(results, dataset).items():
            written += _save(draw(), folder.figures / name)
    for path in folder.figures.iterdir() if folder.figures.is_dir() else ():
        if path not in written and _FIGURE_FILES.fullmatch(path.name):
            path.unlink()
    write_text_whole(folder.drawn_file, hash_results(results.rows) + "\n")
    return written


def _save(figure: Figure, path: Path) -> Iterator[Path]:
    for kind in _FORMATS:
        file = path.with_name(f"{path.name}.{kind}")
        draw = partial(figure.savefig, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else {})
        write_whole(file, draw)
        figure.set_layout_engine("none")  # one layout serves all formats: 2.8 s for the figures of a suite, not 3.3
        yield file


def figures_of(results: Results, dataset: Dataset | None) -> dict[str, Callable[[], Figure]]:
    """Return the functions that draw the figures of a run, by the name of the figure; see `draw_figures`."""
    suite, conclusion = results.suite, current_conclusion(results)
    figures: dict[str, Callable[[], Figure]] = {}
    if dataset and dataset.image_shape:
        figures["samples"] = partial(_samples, dataset)
    for number, experiment in enumerate(suite.experiments, start=1):
        if experiment.from_search:  # its hundreds of short trainings have a separate figure
            continue
        if curves := tables.experiment_curves(results, experiment):
            heading = tables.curves_heading(experiment, results.rows)
            figures[f"experiment-{number}-{experiment.name}"] = partial(plots.draw_curves, curves, heading)
    if tried := tables.tried(results):
        figures["search"] = partial(draw_search, tried, f"{suite.title}: what the search tried", metric=suite.measure)
    if dots := tables.overview(results.rows, suite.measure, conclusion):
        best = conclusion.best.value if conclusion and conclusion.best else None
        figures["all-trials"] = partial(draw_overview, dots, suite.title, best, metric=suite.measure)
    if conclusion and conclusion.winner and results.folder.chosen_file.is_file():
        figures |= _figures_of_winner(
            results.folder, conclusion.winner, Wording(find_metric(conclusion.metric)), dataset
        )
    return figures


def _samples(dataset: Dataset) -> Figure:
    chosen = np.random.default_rng(0).choice(len(dataset.y), _SAMPLES, replace=False)
    captions = [str(label) for label in dataset.y[chosen]]
    return plots.draw_images(_images(dataset, chosen), captions, f"Samples of {dataset.name}")


def _images(dataset: Dataset, rows: Array) -> Array:
    assert dataset.image_shape is not None
    images: Array = dataset.X[rows].reshape(-1, *dataset.image_shape)
    return images


def _figures_of_winner(
    folder: RunFolder, winner: Winner, wording: Wording, dataset: Dataset | None
) -> dict[str, Callable[[], Figure]]:
    """Return the functions that draw the figures of the selected network's predictions."""
    chosen = tables.chosen_predictions(folder)
    figures: dict[str, Callable[[], Figure]] = {"confusion-matrices": partial(_confusions, chosen, winner, wording)}
    if dataset and dataset.image_shape and len(errors := chosen.parts["test"].most_confident_errors(_SAMPLES)):
        figures["confident-errors"] = partial(_confident_errors, dataset, chosen, errors)
    return figures


def _confusions(chosen: ChosenPredictions, winner: Winner, wording: Wording) -> Figure:
    from mlplab.evaluation.classification import count_pairs  # imports scikit-learn

    accuracy = METRICS["accuracy"]
    panels = [
        (
            f"{_PART_NAMES[part]}: {accuracy.format(accuracy.value(p.true, p.predicted))} of {len(p.rows):,} rows",
            count_pairs(p.true, p.predicted, len(chosen.classes)),
        )
        for part, p in chosen.parts.items()
    ]
    title, test = f"The chosen network: {winner.configuration.name}", winner.test
    if test and test.spread is not None:
        scatter = f"{wording.value(test.value).text} ± {wording.scatter(test.spread).text} points"
        title += f", that of the lowest seed (test rows, mean and scatter of {test.seeds} seeds: {scatter})"
    return plots.draw_confusions(panels, chosen.classes, title)


def _confident_errors(dataset: Dataset, chosen: ChosenPredictions, errors: Array) -> Figure:
    predictions, classes = chosen.parts["test"], chosen.classes
    captions = [
        f"{true_and_predicted(classes[predictions.true[k]], classes[predictions.predicted[k]])}\n"
        f"(probability {100 * predictions.probability[k]:.1f} %)"
        for k in errors
    ]
    title = "The chosen network's most confident errors on the test set"
    return plots.draw_images(_images(dataset, predictions.rows[errors]), captions, title)


def draw_overview(dots: Sequence[Dot], title: str = "", best: float | None = None, *, metric: Metric) -> Figure:
    """Draw the validation value of every configuration of every experiment: each seed, the mean and its interval.

    Args:
        dots: the configurations; see `mlplab.lab.report.tables.overview`.
        title: the title of the figure.
        best: the value at which a dashed line is drawn; None draws none.
        metric: the metric.
    """
    wording, groups = Wording(metric), dict[str, list[Dot]]()
    for dot in dots:
        groups.setdefault(dot.experiment, []).append(dot)
    names = {dot: fill(dot.name, _NAME_WIDTH) for dot in dots}  # a long name would leave no room for its axes
    tallest = max((name.count("\n") + 1 for name in names.values()), default=1)
    heights = [len(group) * (1 + 0.55 * (tallest - 1)) for group in groups.values()]
    figure = Figure(figsize=(10, 1.6 + 0.55 * len(groups) + 0.27 * sum(heights)), layout="constrained")
    figure.suptitle(title, fontsize=14)
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=[h + 0.6 for h in heights])
    for k, (axes, (name, group)) in enumerate(zip(panels[:, 0], groups.items(), strict=True)):
        for y, dot in enumerate(group):
            if dot.interval:
                axes.plot(dot.interval, [y, y], color=COLOURS[k % 8], linewidth=9, alpha=0.2, solid_capstyle="butt")
            axes.plot(dot.values, [y] * len(dot.values), "o", color=COLOURS[k % 8], markersize=7, alpha=0.8)
            if dot.values:
                mean = float(np.mean(dot.values))
                text = wording.value(mean).text
                if len(dot.values) > 1:
                    text = f"mean {text}"
                    axes.plot(mean, y, "|", color="black", markersize=14, markeredgewidth=2)
                right = max(*dot.values, dot.interval[1] if dot.interval else mean)
                axes.annotate(text, (right, y), (8, 0), textcoords="offset points", va="center", fontsize=8)
            if dot.diverged:
                axes.annotate("✖ diverged", (0.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        axes.set_yticks(range(len(group)), [names[dot] for dot in group], fontsize=9)
        axes.set_ylim(len(group) - 0.4, -0.6)
        axes.set_title(name, loc="left", fontsize=10, fontweight="bold")
        axes.grid(axis="x", alpha=0.3)
        axes.margins(x=0.12)
        if best is not None:
            axes.axvline(best, color="grey", linewidth=1, linestyle="--")
    if metric.in_percent:
        panels[-1, 0].xaxis.set_major_formatter(PercentFormatter(1))
    seeds = "dots: seeds, bar: their mean, " if any(len(dot.values) > 1 for dot in dots) else ""
    legend = f" ({seeds}band: 95 % interval, dashed: the best)" if best is not None else ""
    panels[-1, 0].set_xlabel(f"Validation {wording.name}{legend}")
    return figure


def draw_search(tried: Tried, title: str = "", *, metric: Metric) -> Figure:
    """Draw the validation error of all configurations of a search, with a panel for each setting.

    Configurations that were trained longer are drawn darker and larger.
    """
    columns = 2 if len(tried.slices) in (2, 4) else 3
    rows = ceil(len(tried.slices) / columns)
    figure = Figure(figsize=(1 + 4.2 * columns, 1.4 + 3.4 * rows), layout="constrained")
    figure.suptitle(title, fontsize=14)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    errors = np.maximum(
        tried.errors, np.min(tried.errors[tried.errors > 0], initial=1) / 2
    )  # errors of 0 are drawn low
    levels = np.unique(tried.epochs)
    for axes, one in zip(panels, tried.slices, strict=False):
        for k, level in enumerate(levels):
            mine = tried.epochs == level
            shade = 0.25 + 0.75 * (k + 1) / len(levels)
            look: Any = {"s": 20 + 60 * k / len(levels), "color": _blues(shade), "edgecolor": "white", "zorder": 2 + k}
            axes.scatter(one.values[mine], errors[mine], label=f"{level}", **look)
        axes.set(xlabel=one.name, yscale="log", xscale="log" if one.log else "linear")
        if one.choices:
            axes.set_xticks(range(len(one.choices)), one.choices, rotation=90 if len("".join(one.choices)) > 40 else 0)
            axes.set_xlim(-0.5, len(one.choices) - 0.5)
        elif not one.log and (one.values == np.round(one.values)).all():
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if one.log:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    for axes in panels[::columns]:
        axes.set_ylabel("Validation error" if metric.in_percent else f"Validation {Wording(metric).name}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        if metric.in_percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_minor_locator(NullLocator())
    for axes in panels[len(tried.slices) :]:
        axes.axis("off")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, title="trained for so many epochs", loc="outside lower center", ncols=8, frameon=False
    )
    return figure


def _blues(shade: float) -> tuple[float, ...]:
    """Return the blue of the palette mixed with white; a shade of 1 is the pure blue."""
    return tuple(1 - shade * (1 - part) for part in to_rgb(COLOURS[0]))
