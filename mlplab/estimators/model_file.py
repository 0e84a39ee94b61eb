"""Save and load fitted estimators: weights as safetensors, everything else as JSON in the file's metadata.

Model files are never unpickled: a file from an unknown source may be wrong, but it cannot run code.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mlplab.engine.base import Array
from mlplab.errors import DataError, ModelFileError, SettingError, shorten
from mlplab.estimators.classifier import NeuralNetworkClassifier
from mlplab.estimators.fitted import FittedState
from mlplab.estimators.regressor import NeuralNetworkRegressor
from mlplab.training.history import History
from mlplab.training.settings import RegressorSettings, check_settings, is_integer
from mlplab.utils.atomic import write_whole
from mlplab.utils.tensor_file import read_tensors, write_tensors
from mlplab.version import __version__

#: The version of the file layout; unknown versions are rejected.
FORMAT = "mlplab-1"
#: Settings whose value may be a user's own object instead of a name.
_PARTS = ("activation", "initializer", "loss", "solver", "learning_rate", "normalization")

Model = NeuralNetworkClassifier | NeuralNetworkRegressor


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to `path` as a .safetensors file, atomically.

    Callbacks are not saved, and a `random_state` that is a generator is saved as None.

    Raises:
        SettingError: for a model with your own activation, loss or other object, which JSON cannot represent.
        DataError: for class labels that JSON cannot represent.
    """
    write_whole(Path(path), partial(write_model, model))


def write_model(model: Model, path: Path) -> None:
    """Write the file of `save_model` directly to `path`, not atomically."""
    check_is_fitted(model)
    settings = {f.name: getattr(model, f.name) for f in fields(model) if f.name != "callbacks"}
    settings["input_scale"] = (
        model.network_.input_scale
    )  # the value used by predictions, even if the setting changed after `fit`
    own = [name for name in _PARTS if not all(isinstance(part, str | None) for part in _listed(settings[name]))]
    if own:
        raise SettingError(f"a model with your own {own[0]} cannot be saved: a model file contains names, not code")
    if isinstance(settings["random_state"], np.random.RandomState | np.random.Generator):
        settings["random_state"] = None
    if settings["dtype"] is not None:
        settings["dtype"] = np.dtype(settings["dtype"]).name
    state = model.fitted_state()
    names = state.feature_names
    metadata = {
        "format": FORMAT,
        "mlplab": __version__,
        "settings": json.dumps(settings, default=_plain),
        **_describe_targets(model, state),
        "n_training_rows": json.dumps(state.n_training_rows),
        "feature_names": json.dumps(None if names is None else list(names)),
        "history": json.dumps(state.history.records),
    }
    write_tensors(state.arrays, metadata, path)


def _describe_targets(model: Model, state: FittedState) -> dict[str, str]:
    """Return the metadata about the outputs; only a regressor has "one_column"."""
    if isinstance(model, NeuralNetworkRegressor):
        return {
            "one_column": json.dumps(model.one_column_),
            "validation_scores": json.dumps(state.validation_scores),
        }
    return {
        "labels": json.dumps(model.multilabel_),
        "classes": json.dumps(_labels(model.classes_)),
        "classes_dtype": model.classes_.dtype.str if model.classes_.dtype.kind != "O" else "object",
    }


def load_model(path: str | os.PathLike[str]) -> Model:
    """Load an estimator saved by `save_model`; its predictions are bit-identical to those of the saved one.

    Raises:
        ModelFileError: for a file that is missing, damaged, truncated or of another kind.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path, FORMAT, "model")
    try:
        return _restore(metadata, tensors)
    except Exception as error:  # a file from an unknown source may cause any error
        raise ModelFileError(f"{path} is not a model written by mlplab: {shorten(error)}") from error


def load_classifier(path: str | os.PathLike[str]) -> NeuralNetworkClassifier:
    """Load a classifier saved by `save_model`.

    Raises:
        ModelFileError: as in `load_model`, and for a regressor.
    """
    model = load_model(path)
    if not isinstance(model, NeuralNetworkClassifier):
        raise ModelFileError(f"{path} is a regressor; a classifier is required")
    return model


def _restore(metadata: dict[str, str], tensors: dict[str, Array]) -> Model:
    read = {name: json.loads(metadata[name]) for name in metadata if name not in ("format", "mlplab", "classes_dtype")}
    history = History()
    history.records = read["history"]
    if not is_integer(read["n_training_rows"]):
        raise ModelFileError("n_training_rows is not an integer")
    left = FittedState(tensors, history, read["n_training_rows"], read["feature_names"], read.get("validation_scores"))
    if "one_column" in read:
        check_settings(read["settings"], of=RegressorSettings)
        regressor = NeuralNetworkRegressor(**read["settings"])
        regressor.restore(left, one_column=read["one_column"])
        return regressor
    check_settings(read["settings"])
    dtype = metadata["classes_dtype"]
    if dtype != "object" and np.dtype(dtype).kind not in "biufU":
        raise ModelFileError("classes_dtype is not allowed")
    classes = np.array(read["classes"], dtype=object if dtype == "object" else np.dtype(dtype))
    classifier = NeuralNetworkClassifier(**read["settings"])
    classifier.restore(left, classes=classes, labels=read.get("labels", False))
    return classifier


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _labels(classes: Array) -> list[Any]:
    labels: list[Any] = classes.tolist()
    if not all(isinstance(label, str | int | float | bool) for label in labels):
        raise DataError(f"class labels must be strings or numbers to be saved; got {labels[:3]!r}")
    return labels


def _plain(value: Any) -> Any:
    """Convert NumPy numbers and arrays to numbers and lists for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"cannot be saved: {value!r}")
