"""What the parts of a training remember from step to step: taken out as plain data, and put back.

A part says in `remembers` which of its attributes change as training goes on; everything else of it follows from the
settings. What such an attribute may be: an array, `Parameters`, a generator, a number, another part, or None, and lists
of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from mlplab.errors import DataError, SettingError
from mlplab.nn.network import Parameters


def remember(part: Any) -> Any:
    """Return the memory of a part: arrays (its own, not copies), numbers, text, and lists and dicts of these."""
    if isinstance(part, Parameters):
        return part.flat
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state
    if isinstance(part, list | tuple):
        return [remember(item) for item in part]
    if part is None or isinstance(part, str | Real | np.ndarray | Mapping):
        return part
    if not hasattr(part, "remembers"):
        raise SettingError(
            f"a fit with your own {type(part).__name__} cannot be continued: it has no `remembers`, the names of those "
            "of its attributes that change as training goes on"
        )
    return {name: remember(getattr(part, name)) for name in part.remembers}


def recall(part: Any, memory: Any) -> Any:
    """Put a memory back into a part of the same kind, in place where it is a part or an array; return what it is now.

    Raises:
        DataError: for the memory of another kind of part.
    """
    if isinstance(part, Parameters):
        recall(part.flat, memory)
    elif isinstance(part, np.ndarray):
        if part.shape != memory.shape or part.dtype != memory.dtype:
            raise DataError(f"wanted is an array {part.shape} of {part.dtype}; got {memory.shape} of {memory.dtype}")
        part[...] = memory
    elif isinstance(part, np.random.Generator):
        part.bit_generator.state = memory
    elif isinstance(part, list | tuple) and part and not isinstance(part[0], Real):
        for item, its in zip(part, memory, strict=True):
            recall(item, its)
    elif hasattr(part, "remembers"):
        for name in part.remembers:
            setattr(part, name, recall(getattr(part, name), memory[name]))
    else:
        return memory
    return part
