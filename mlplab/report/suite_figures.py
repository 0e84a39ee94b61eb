"""All figures of a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from mlplab.atomic import write_whole
from mlplab.data import Dataset
from mlplab.lab.chosen import PARTS
from mlplab.lab.conclusion import read_conclusion
from mlplab.lab.store import ResultRow, RunFolder
from mlplab.lab.suite import Suite
from mlplab.report import figures, tables
from mlplab.text import percent

_FORMATS = ("png", "svg")
_SAMPLES = 15
_PART_NAMES = {"train": "Training", "validation": "Validation", "test": "Test"}


def draw_figures(folder: RunFolder, suite: Suite, rows: Sequence[ResultRow], dataset: Dataset) -> list[Path]:
    """Draw every figure of the suite into the run folder, as PNG and SVG; return the files, those of older runs removed.

    Sample images and the most confident errors are drawn for images only.
    """
    written = []
    # a fixed salt and no date: the same results give the same files
    with rc_context(
        {"svg.hashsalt": "mlplab", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}
    ):
        for name, figure in _figures(folder, suite, rows, dataset):
            written += _save(figure, folder.figures / name)
    for path in folder.figures.glob("*"):
        if path not in written:
            path.unlink()
    return written


def _save(figure: Figure, path: Path) -> list[Path]:
    files = [path.with_name(f"{path.name}.{kind}") for kind in _FORMATS]
    for file, kind in zip(files, _FORMATS, strict=True):
        metadata = {"Date": None} if kind == "svg" else {}
        write_whole(
            file,
            lambda temporary, kind=kind, metadata=metadata: figure.savefig(
                temporary, format=kind, dpi=120, metadata=metadata
            ),  # type: ignore[misc]
        )
    return files


def _figures(
    folder: RunFolder, suite: Suite, rows: Sequence[ResultRow], dataset: Dataset
) -> Iterator[tuple[str, Figure]]:
    if dataset.image_shape:
        yield "samples", _samples(dataset)
    for number, experiment in enumerate(suite.experiments, start=1):
        curves = tables.experiment_curves(folder, experiment, rows)
        if curves:
            yield f"experiment-{number}-{experiment.name}", figures.draw_curves(curves, experiment.title)
    best = read_conclusion(folder).get("best")
    dots = tables.overview(rows)
    if dots:
        yield "all-trials", figures.draw_overview(dots, suite.title, best["val_accuracy"] if best else None)
    if best and folder.chosen_file.is_file():
        yield from _chosen(folder, best["name"], dataset)


def _samples(dataset: Dataset) -> Figure:
    chosen = np.random.default_rng(0).choice(len(dataset.y), _SAMPLES, replace=False)
    captions = [str(label) for label in dataset.y[chosen]]
    return figures.draw_images(_images(dataset, chosen), captions, f"Samples of {dataset.name}")


def _images(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    assert dataset.image_shape is not None
    return dataset.X[rows].reshape(-1, *dataset.image_shape)


def _chosen(folder: RunFolder, name: str, dataset: Dataset) -> Iterator[tuple[str, Figure]]:
    classes = tables.chosen_classes(folder)
    predictions = {part: tables.chosen_predictions(folder, part) for part in PARTS}
    panels = [
        (
            f"{_PART_NAMES[part]}: {percent(p.accuracy)} of {len(p.rows):,} rows",
            tables.confusion(p.true, p.predicted, len(classes)),
        )
        for part, p in predictions.items()
    ]
    yield "confusion-matrices", figures.draw_confusions(panels, classes, f"The chosen network: {name}")
    test = predictions["test"]
    errors = test.most_confident_errors(_SAMPLES)
    if dataset.image_shape and len(errors):
        captions = [
            f"{classes[test.true[k]]}, not {classes[test.predicted[k]]}\n({test.probability[k]:.1%} sure)"
            for k in errors
        ]
        title = "Test images that the chosen network gets most confidently wrong"
        yield "confident-errors", figures.draw_images(_images(dataset, test.rows[errors]), captions, title)
