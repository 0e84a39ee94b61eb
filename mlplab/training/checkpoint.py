"""The state of a fit on disk, from which it goes on as if it had never stopped: the same bits on one machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import ModelFileError, shorten
from mlplab.training.state import get_state, set_state
from mlplab.utils.atomic import write_whole
from mlplab.utils.tensor_file import read_tensors, write_tensors

#: The version of the layout of the file; a reader refuses one that it does not know.
FORMAT = "mlplab-checkpoint-1"


@dataclass
class Checkpoint:
    """A file that a fit writes its state to, after an epoch, and goes on from where it exists already.

    Args:
        path: of the file, which is written whole or not at all. Nothing in it is ever unpickled.
        seconds: at least so many pass from one writing to the next; the last epoch is always written.
    """

    path: str | os.PathLike[str]
    seconds: float = 10.0

    def __post_init__(self) -> None:
        self._written = perf_counter()

    def read(self) -> dict[str, Any] | None:
        """Return what the file holds, or None where there is none: `identity` and `state`.

        Raises:
            ModelFileError: for a file that is damaged, or no checkpoint.
        """
        if not Path(self.path).exists():
            return None
        tensors, metadata = read_tensors(Path(self.path), FORMAT, "checkpoint")
        return {
            name: json.loads(metadata[name], object_hook=partial(_array, tensors)) for name in ("identity", "state")
        }

    def resume(self, fit: Any, saved: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        """Put the state that `read` returned into a fit that has just begun.

        Args:
            fit: the part that changes, see `mlplab.training.state`.
            identity: what determines the result of the fit, plain data by name.

        Raises:
            ModelFileError: where the state belongs to a fit of another identity.
        """
        for name, value in identity.items():
            if saved["identity"].get(name) != json.loads(json.dumps(value)):
                there = shorten(saved["identity"].get(name))
                differs = "the data" if name == "data" else f"{name} was {there} and is {shorten(value)}"
                raise ModelFileError(
                    f"{self.path} is the checkpoint of another fit ({differs}): delete it, or name another file"
                )
        try:
            set_state(fit, saved["state"])
        except Exception as error:
            raise ModelFileError(f"{self.path} is no checkpoint of such a fit: {shorten(error)}") from error

    def write(self, fit: Any, identity: Mapping[str, Any], *, last: bool) -> None:
        """Write the state, if it is the `last` one or the time for it has come."""
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


def _array(tensors: Mapping[str, Array], value: dict[str, Any]) -> Any:
    return tensors[value["array"]] if value.keys() == {"array"} else value
