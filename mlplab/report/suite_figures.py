"""All figures of a run folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from mlplab.atomic import write_text_whole, write_whole
from mlplab.data import Dataset
from mlplab.engine.numpy_engine import Array
from mlplab.lab.chosen import PARTS
from mlplab.lab.conclusion import digest_of, read_conclusion
from mlplab.lab.seals import seal, unseal
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Suite
from mlplab.report import figures, tables
from mlplab.text import percent

_FORMATS = ("png", "svg")
_OURS = re.compile(r"(samples|search|experiment-\d+-.*|all-trials|confusion-matrices|confident-errors)\.(png|svg)")
# A fixed salt, and no date in the files: the same results give the same files.
_STYLE: Any = {"svg.hashsalt": "mlplab", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}
_SAMPLES = 15
_PART_NAMES = {"train": "Training", "validation": "Validation", "test": "Test"}


def draw_figures(folder: RunFolder, suite: Suite, rows: Sequence[ResultRow], dataset: Dataset | None) -> list[Path]:
    """Draw every figure of the suite into the run folder, as PNG and SVG; remove those of older runs; return the files.

    dataset: needed for sample images and the most confident errors; None where the rows are no images.
    """
    written: list[Path] = []
    unseal(folder)
    with rc_context(_STYLE):
        for name, figure in _figures(folder, suite, rows, dataset):
            written += _save(figure, folder.figures / name)
    for path in folder.figures.iterdir() if folder.figures.is_dir() else ():
        if path not in written and _OURS.fullmatch(path.name):
            path.unlink()
    write_text_whole(folder.drawn_file, digest_of(rows) + "\n")
    seal(folder)
    return written


def _save(figure: Figure, path: Path) -> Iterator[Path]:
    for kind in _FORMATS:
        file = path.with_name(f"{path.name}.{kind}")
        draw = partial(figure.savefig, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else {})
        write_whole(file, draw)
        figure.set_layout_engine("none")  # one layout serves all formats: 2.8 s for the figures of a suite, not 3.3
        yield file


def _figures(
    folder: RunFolder, suite: Suite, rows: Sequence[ResultRow], dataset: Dataset | None
) -> Iterator[tuple[str, Figure]]:
    if dataset and dataset.image_shape:
        yield "samples", _samples(dataset)
    for number, experiment in enumerate(suite.experiments, start=1):
        if experiment.explored:  # hundreds of beginnings: they have a figure of their own
            continue
        curves = tables.experiment_curves(folder, experiment, rows)
        if curves:
            yield (
                f"experiment-{number}-{experiment.name}",
                figures.draw_curves(curves, tables.curves_heading(experiment, rows)),
            )
    if found := tables.tried(suite, rows):
        yield "search", figures.draw_search(found, f"{suite.title}: what the search tried")
    conclusion = read_conclusion(folder)
    best = conclusion.get("best")
    dots = tables.overview(rows, conclusion)
    if dots:
        yield "all-trials", figures.draw_overview(dots, suite.title, best["val_accuracy"] if best else None)
    if best and folder.chosen_file.is_file():
        yield from _chosen(folder, best["name"], conclusion.get("test") or {}, dataset)


def _samples(dataset: Dataset) -> Figure:
    chosen = np.random.default_rng(0).choice(len(dataset.y), _SAMPLES, replace=False)
    captions = [str(label) for label in dataset.y[chosen]]
    return figures.draw_images(_images(dataset, chosen), captions, f"Samples of {dataset.name}")


def _images(dataset: Dataset, rows: Array) -> Array:
    assert dataset.image_shape is not None
    images: Array = dataset.X[rows].reshape(-1, *dataset.image_shape)
    return images


def _chosen(
    folder: RunFolder, name: str, test: Mapping[str, Any], dataset: Dataset | None
) -> Iterator[tuple[str, Figure]]:
    from mlplab.evaluation import count_pairs  # a finished folder, which has its figures, needs no scikit-learn

    classes = tables.chosen_classes(folder)
    predictions = {part: tables.chosen_predictions(folder, part) for part in PARTS}
    panels = [
        (
            f"{_PART_NAMES[part]}: {percent(p.accuracy)} of {len(p.rows):,} rows",
            count_pairs(p.true, p.predicted, len(classes)),
        )
        for part, p in predictions.items()
    ]
    title = f"The chosen network: {name}"
    if (seeds := test.get("seeds", 1)) > 1:
        scatter = f"{percent(test['accuracy'])} ± {100 * test['spread']:.2f} points"
        title += f", that of the lowest seed (test rows, mean and scatter of {seeds} seeds: {scatter})"
    yield "confusion-matrices", figures.draw_confusions(panels, classes, title)
    answers = predictions["test"]
    errors = answers.most_confident_errors(_SAMPLES)
    if dataset and dataset.image_shape and len(errors):
        captions = [
            f"{classes[answers.true[k]]}, not {classes[answers.predicted[k]]}\n({answers.probability[k]:.1%} sure)"
            for k in errors
        ]
        title = "Test images that the chosen network gets most confidently wrong"
        yield "confident-errors", figures.draw_images(_images(dataset, answers.rows[errors]), captions, title)
