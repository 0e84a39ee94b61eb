"""Commands for a single model: train, predict, evaluate, export."""

from __future__ import annotations

import csv
import io
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlplab.cli.options import json_option, samples_option, target_option

# Slow imports are inside the commands that need them, so that `mlplab --help` answers at once.
if TYPE_CHECKING:
    from mlplab.data import Dataset
    from mlplab.data.files import Table
    from mlplab.estimators.base import NeuralNetwork
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.evaluation import Evaluation

_model_argument = click.argument("model", type=click.Path(path_type=Path))


@click.command()
@click.argument("data")
@target_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=Path("model.safetensors"),
    show_default=True,
    help="Model file to write.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a parameter of the classifier, for example max_iter=50. Can be repeated.",
)
@click.option(
    "--seed",
    type=int,
    metavar="N",
    default=0,
    show_default=True,
    help="Seed for the split, the initial weights and the row order.",
)
@samples_option
def train(
    data: str, target: str | None, out: Path, assignments: tuple[str, ...], seed: int, samples: int | None
) -> int:
    """Train one network on DATA and save it.

    DATA is a built-in data set or a file. A fraction of the rows, by default a tenth (validation_fraction), is held out
    for validation. Official test rows are not used.
    """
    import warnings

    from rich.console import Console
    from sklearn.exceptions import ConvergenceWarning

    from mlplab.data import hold_out, load_dataset
    from mlplab.errors import SettingError
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.estimators.model_file import save_model
    from mlplab.training.progress import FitDisplay
    from mlplab.training.settings import check_count, check_settings, parse_assignment
    from mlplab.utils.text import how_many, percent

    settings = dict(parse_assignment(assignment) for assignment in assignments)
    check_settings(settings, "--set: ")
    if seed < 0:
        raise SettingError(f"--seed must be a whole number of at least 0; got {seed}")
    samples = None if samples is None else check_count("--samples", samples)
    _check_output(out, "--out", (".safetensors",))
    dataset = load_dataset(data, target=target)
    for caution in dataset.cautions():
        click.echo(f"Note: {caution}.", err=True)
    shown = {"callbacks": [FitDisplay(Console(stderr=True))]}  # only the result goes to standard output
    model = NeuralNetworkClassifier(**{"input_scale": dataset.scale, "random_state": seed, **shown, **settings})
    training, validation = hold_out(dataset, model.validation_fraction, seed, samples)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit_rows(dataset.X, dataset.y, training, validation, dataset.feature_names)
    save_model(model, out)
    accuracy = float((model.predict_rows(dataset.X, validation) == dataset.y[validation]).mean())
    click.echo(
        f"{out}: trained for {how_many(model.n_iter_, 'epoch')} on {how_many(len(training), 'row')}; "
        f"accuracy {percent(accuracy)} on {how_many(len(validation), 'validation row')}"
    )
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning) and model.n_iter_ == model.max_iter:
            click.echo(f"Note: the training has not converged; try --set max_iter={2 * model.max_iter}.", err=True)
        else:
            click.echo(f"Note: {warning.message}", err=True)
    return 130 if model.interrupted_ else 0


@click.command()
@_model_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV file to write.  [default: standard output]",
)
@click.option("--probabilities", is_flag=True, help="Also write the probability of every class.")
def predict(model: Path, data: Path, out: Path | None, probabilities: bool) -> None:
    """Write the predictions of MODEL for the rows of DATA as CSV.

    DATA is a file. Its target column may be missing.
    """
    from mlplab.data.datasets import with_names
    from mlplab.errors import SettingError
    from mlplab.estimators.classifier import NeuralNetworkClassifier
    from mlplab.estimators.model_file import load_model
    from mlplab.utils.atomic import write_text_whole

    if out is not None:
        _check_output(out, "--out", (".csv",))
        if out.resolve() == data.resolve():
            raise SettingError(f"--out must not be DATA; got {out} for both")
    loaded = load_model(model)
    if probabilities and not isinstance(loaded, NeuralNetworkClassifier):
        raise SettingError(f"--probabilities requires a classifier; {model} is a regressor")
    table = _read(loaded, data, None, needs_target=False)
    X = with_names(table.X, table.feature_names)
    predicted = loaded.predict(X)
    several = predicted.ndim > 1  # several labels per row, or values of several columns
    names = loaded.classes_ if isinstance(loaded, NeuralNetworkClassifier) else range(loaded.n_outputs_)
    header = [f"prediction_{name}" for name in names] if several else ["prediction"]
    rows = predicted.tolist() if several else predicted[:, None].tolist()
    if probabilities and isinstance(loaded, NeuralNetworkClassifier):
        header += [f"probability_{label}" for label in loaded.classes_]
        shares = loaded.predict_proba(X).tolist()
        rows = [row + [f"{share:.6g}" for share in of_row] for row, of_row in zip(rows, shares, strict=True)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    if out is None:
        click.echo(text.getvalue(), nl=False)
    else:
        write_text_whole(out, text.getvalue())


@click.command()
@_model_argument
@click.argument("data")
@target_option
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the confusion matrix and the reliability diagram to a PNG, SVG or PDF file.",
)
@json_option
def evaluate(model: Path, data: str, target: str | None, figure: Path | None, as_json: bool) -> None:
    """Evaluate MODEL on the labelled rows of DATA.

    DATA is a built-in data set or a file. If it has official test rows, MODEL is evaluated only on these. `mlplab
    train` and suites with the split "official" never train on them.
    """
    from mlplab.estimators.model_file import load_classifier
    from mlplab.evaluation import evaluate_classifier

    if figure is not None:
        _check_output(figure, "--figure", (".png", ".svg", ".pdf"))
    loaded = load_classifier(model)
    X, y, what = _labelled_rows(loaded, data, target)
    found = evaluate_classifier(loaded, X, y)
    click.echo(json.dumps(found.to_dict()) if as_json else f"{what}: {found}")
    if figure is not None:
        _draw_evaluation(found, figure)


def _check_output(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Raise SettingError for a path that cannot be written, or does not have one of the suffixes."""
    from mlplab.errors import SettingError, one_of

    if path.suffix not in suffixes:
        raise SettingError(f"{option} must end with {one_of(suffixes)}; got {path}")
    if path.is_dir():
        raise SettingError(f"{option} must name a file; {path} is a folder")
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise SettingError(f"{option}: cannot write {path}, because {existing} is not a writable folder")


def _labelled_rows(model: NeuralNetworkClassifier, data: str, target: str | None) -> tuple[Any, Any, str]:
    """Return features and labels of the rows to evaluate on, with a name for them."""
    from mlplab.data.datasets import load_dataset, with_names
    from mlplab.data.names import DATASETS

    source: Dataset | Table
    if data in DATASETS:
        source = load_dataset(data, target=target)
        _check_width(model, source.X, data)
    else:
        source = _read(model, Path(data), target, needs_target=True)
    X, y = source.X, source.y
    assert y is not None
    if source.test_rows:
        return X[-source.test_rows :], y[-source.test_rows :], f"official test rows of {data}"
    click.echo(
        "Note: the model file does not record its training rows; some of these may have been used for training.",
        err=True,
    )
    return with_names(X, source.feature_names), y, data


def _read(model: NeuralNetwork, path: Path, target: str | None, *, needs_target: bool) -> Table:
    from mlplab.data.files import read_table
    from mlplab.errors import DataError

    if not path.exists():
        raise DataError(f"{path}: no such file")
    names = getattr(model, "feature_names_in_", None)
    table = read_table(path, target, needs_target=needs_target, features=None if names is None else list(names))
    _check_width(model, table.X, path)
    return table


def _check_width(model: NeuralNetwork, X: Any, name: str | Path) -> None:
    from mlplab.errors import DataError

    if X.shape[1] != model.n_features_in_:
        raise DataError(f"{name}: rows have {X.shape[1]} features, but the model expects {model.n_features_in_}")


def _draw_evaluation(found: Evaluation, path: Path) -> None:
    from mlplab.plots.plots import draw_evaluation
    from mlplab.utils.atomic import write_whole

    figure = draw_evaluation(found)
    write_whole(path, partial(figure.savefig, format=path.suffix.lstrip("."), dpi=120))
    click.echo(f"figure: {path}", err=True)


@click.command()
@_model_argument
@click.argument("out", type=click.Path(path_type=Path))
def export(model: Path, out: Path) -> None:
    """Write MODEL to OUT in a format for use without mlplab.

    The suffix of OUT selects the format: .onnx for ONNX, .json for plain JSON, .safetensors for a PyTorch state_dict.
    """
    from mlplab.errors import SettingError
    from mlplab.estimators.model_file import load_model
    from mlplab.export import to_json, to_onnx, to_state_dict
    from mlplab.utils.atomic import write_whole
    from mlplab.utils.tensor_file import save_tensors
    from mlplab.utils.text import how_many

    _check_output(out, "OUT", (".onnx", ".json", ".safetensors"))
    if out.resolve() == model.resolve():
        raise SettingError(f"OUT must not be MODEL; got {out} for both")
    loaded = load_model(model)
    if out.suffix == ".safetensors":
        write_whole(out, partial(save_tensors, to_state_dict(loaded)))
    else:
        {".onnx": to_onnx, ".json": to_json}[out.suffix](loaded, out)
    outputs = f"{how_many(loaded.n_outputs_, 'output')} ({loaded.out_activation_})"
    click.echo(f"{out}: {how_many(loaded.n_features_in_, 'feature')}, {outputs}")


COMMANDS = (train, predict, evaluate, export)
