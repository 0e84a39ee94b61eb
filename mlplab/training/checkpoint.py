"""The state of a fit on disk. A fit that resumes from it gives the same bits as one that was never interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from numbers import Real
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import ModelFileError, SettingError, shorten
from mlplab.nn.network import Network
from mlplab.nn.schedules import HORIZON_DEPENDENT
from mlplab.training.build import AnySettings
from mlplab.training.state import get_state, set_state
from mlplab.utils.atomic import write_whole
from mlplab.utils.hashing import hash_arrays
from mlplab.utils.tensor_file import read_tensors, write_tensors
from mlplab.version import NUMERICS

#: The version of the file layout; unknown versions are rejected.
FORMAT = "mlplab-checkpoint-1"
#: Settings that do not affect the epochs in a checkpoint, or that its identity contains under another name.
_NOT_IN_IDENTITY = ("callbacks", "max_iter", "n_iter_no_change", "random_state", "tol", "verbose", "warm_start")


@dataclass
class Checkpoint:
    """A file to which a fit writes its state after epochs, and from which it resumes if the file exists.

    Args:
        path: of the file, which is written atomically and never unpickled.
        seconds: the minimum time between two writes; the state after the last epoch is always written.
    """

    path: str | os.PathLike[str]
    seconds: float = 10.0

    def __post_init__(self) -> None:
        self._written = perf_counter()

    def read(self) -> dict[str, Any] | None:
        """Return the `identity` and the `state` in the file, or None where there is no file.

        Raises:
            ModelFileError: for a file that is damaged or is not a checkpoint.
        """
        if not Path(self.path).exists():
            return None
        tensors, metadata = read_tensors(Path(self.path), FORMAT, "checkpoint")
        return {
            name: json.loads(metadata[name], object_hook=partial(_array, tensors)) for name in ("identity", "state")
        }

    def resume(self, fit: Any, saved: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        """Put the state that `read` returned into a fit that has not started yet.

        Args:
            fit: the object with the state, see `mlplab.training.state`; changed in place.
            identity: what determines the result of the fit, plain data by name, see `fit_identity`.

        Raises:
            ModelFileError: for the state of a fit with another identity.
        """
        for name, value in identity.items():
            if saved["identity"].get(name) != json.loads(json.dumps(value)):
                there = shorten(saved["identity"].get(name))
                differs = "other data" if name == "data" else f"{name} was {there} and is {shorten(value)}"
                raise ModelFileError(
                    f"{self.path} is the checkpoint of another fit ({differs}): delete it or use another file"
                )
        try:
            set_state(fit, saved["state"])
        except Exception as error:
            raise ModelFileError(f"{self.path} does not contain a state for this fit: {shorten(error)}") from error

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        """Write the state, if it is the `last` one or `seconds` have passed since the last write."""
        if not last and perf_counter() - self._written < self.seconds:
            return
        tensors: dict[str, Array] = {}

        def named(array: Any) -> dict[str, str]:
            if isinstance(array, np.generic):
                return array.item()  # type: ignore[no-any-return]
            tensors[f"array.{len(tensors)}"] = array
            return {"array": f"array.{len(tensors) - 1}"}

        state = json.dumps(get_state(fit), default=named)
        metadata = {"format": FORMAT, "identity": json.dumps(identity), "state": state}
        write_whole(Path(self.path), partial(write_tensors, tensors, metadata))
        self._written = perf_counter()


def fit_identity(settings: AnySettings, network: Network, seed: int, data: str) -> dict[str, Any]:
    """Return everything that determines the result of a fit from these initial weights, as plain data by name.

    Args:
        data: identifies the rows.

    Raises:
        SettingError: for solver "lbfgs", which cannot be resumed.
    """
    if settings.solver == "lbfgs":
        raise SettingError("checkpoint cannot be used with solver='lbfgs', whose state cannot be saved")
    values = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in _NOT_IN_IDENTITY}
    if settings.learning_rate in HORIZON_DEPENDENT or settings.average_epochs:
        values["max_iter"] = settings.max_iter
    plain = {name: _plain(value) for name, value in values.items()}
    return {**plain, "seed": seed, "numerics": NUMERICS, "data": data, "start": hash_arrays(network.theta.flat)}


def _plain(value: Any) -> Any:
    """Return a setting as text: names and numbers by their `repr`, a user's own objects by their type."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | Real | Mapping):
        return repr(value)
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _array(tensors: Mapping[str, Array], value: dict[str, Any]) -> Any:
    return tensors[value["array"]] if value.keys() == {"array"} else value
