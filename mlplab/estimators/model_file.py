"""Save and load fitted estimators: weights as safetensors, everything else as JSON in the file's metadata.

A model file is never unpickled: one from an unknown source can be wrong, but it cannot run code.
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

#: The version of the layout of the metadata; a reader refuses one that it does not know.
FORMAT = "mlplab-1"
#: Settings that may hold a user's own object instead of a name.
_PARTS = ("activation", "initializer", "loss", "solver", "learning_rate", "normalization")

Model = NeuralNetworkClassifier | NeuralNetworkRegressor


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to `path` as a .safetensors file, whole or not at all.

    Its callbacks are left out, and a `random_state` that is a generator becomes None.

    Raises:
        SettingError: for a model with an activation, loss or other object of your own, which JSON cannot hold.
        DataError: for class labels that JSON cannot hold.
    """
    write_whole(Path(path), partial(write_model, model))


def write_model(model: Model, path: Path) -> None:
    """Write the file of `save_model` directly to `path`, which is incomplete until this returns."""
    check_is_fitted(model)
    settings = {f.name: getattr(model, f.name) for f in fields(model) if f.name != "callbacks"}
    settings["input_scale"] = model.network_.input_scale  # which predictions use, whatever was set since
    own = [name for name in _PARTS if not all(isinstance(part, str | None) for part in _listed(settings[name]))]
    if own:
        raise SettingError(f"a model with your own {own[0]} cannot be saved: a model file holds names, not code")
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
    """Return the meaning of the outputs. A file without "one_column" is a classifier's."""
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
    """Return the estimator in a file that `save_model` wrote; its predictions equal those of the saved one bit for bit.

    Raises:
        ModelFileError: for a file that is missing, damaged, truncated or of another kind.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path, FORMAT, "model")
    try:
        return _restore(metadata, tensors)
    except Exception as error:  # the file may come from anywhere, so that anything may be wrong with it
        raise ModelFileError(f"{path} is no model that mlplab wrote: {shorten(error)}") from error


def load_classifier(path: str | os.PathLike[str]) -> NeuralNetworkClassifier:
    """Return the classifier in a file that `save_model` wrote.

    Raises:
        ModelFileError: as `load_model`, and for a regressor.
    """
    model = load_model(path)
    if not isinstance(model, NeuralNetworkClassifier):
        raise ModelFileError(f"{path} is a regressor; a classifier is needed")
    return model


def _restore(metadata: dict[str, str], tensors: dict[str, Array]) -> Model:
    read = {name: json.loads(metadata[name]) for name in metadata if name not in ("format", "mlplab", "classes_dtype")}
    history = History()
    history.records = read["history"]
    if not is_integer(read["n_training_rows"]):
        raise ModelFileError("n_training_rows is wrong")
    left = FittedState(tensors, history, read["n_training_rows"], read["feature_names"], read.get("validation_scores"))
    if "one_column" in read:
        check_settings(read["settings"], of=RegressorSettings)
        regressor = NeuralNetworkRegressor(**read["settings"])
        regressor.restore(left, one_column=read["one_column"])
        return regressor
    check_settings(read["settings"])
    dtype = metadata["classes_dtype"]
    if dtype != "object" and np.dtype(dtype).kind not in "biufU":
        raise ModelFileError("classes_dtype is wrong")
    classes = np.array(read["classes"], dtype=object if dtype == "object" else np.dtype(dtype))
    classifier = NeuralNetworkClassifier(**read["settings"])
    classifier.restore(left, classes=classes, labels=read.get("labels", False))
    return classifier


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _labels(classes: Array) -> list[Any]:
    labels: list[Any] = classes.tolist()
    if not all(isinstance(label, str | int | float | bool) for label in labels):
        raise DataError(f"class labels must be text or numbers to be saved; got {labels[:3]!r}")
    return labels


def _plain(value: Any) -> Any:
    """Return NumPy numbers and arrays as plain numbers and lists, which JSON can hold."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"cannot be saved: {value!r}")
