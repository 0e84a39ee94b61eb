"""The state of training as plain data, which checkpoints contain, and its restoration.

The `state_attributes` of a part are the names of its attributes that change during training; everything else follows
from the settings. Where the keys of the state differ from the names of the attributes, `state_attributes` maps names to
keys. Such an attribute may be an array, `Parameters`, a generator, a number, another part, None, or a list of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from mlplab.engine.base import is_array
from mlplab.errors import DataError, SettingError
from mlplab.nn.network import Parameters


def get_state(part: Any) -> Any:
    """Return the state of a part: arrays (its own, not copies), numbers, text, and lists and dicts of these."""
    if isinstance(part, Parameters):
        return part.flat
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state
    if isinstance(part, list | tuple):
        return [get_state(item) for item in part]
    if part is None or isinstance(part, str | Real | Mapping) or is_array(part):
        return part
    if not hasattr(part, "state_attributes"):
        raise SettingError(
            f"a fit with your own {type(part).__name__} cannot be resumed: it has no `state_attributes`, the names of "
            "the attributes that change during training"
        )
    return {key: get_state(getattr(part, name)) for name, key in _keys(part).items()}


def set_state(part: Any, state: Any) -> Any:
    """Put a state back into a part of the same kind, in place if it is a part or an array, and return the result.

    Raises:
        DataError: for the state of another kind of part.
    """
    if isinstance(part, Parameters):
        set_state(part.flat, state)
    elif is_array(part):
        if part.shape != state.shape or part.dtype != state.dtype:
            raise DataError(f"expected an array {part.shape} of {part.dtype}; got {state.shape} of {state.dtype}")
        part[...] = state
    elif isinstance(part, np.random.Generator):
        part.bit_generator.state = state
    elif isinstance(part, list | tuple) and part and not isinstance(part[0], Real):
        for item, its in zip(part, state, strict=True):
            set_state(item, its)
    elif hasattr(part, "state_attributes"):
        for name, key in _keys(part).items():
            setattr(part, name, set_state(getattr(part, name), state[key]))
    else:
        return state
    return part


def _keys(part: Any) -> Mapping[str, str]:
    """Return the keys of a part's state by the names of its attributes."""
    names = part.state_attributes
    return names if isinstance(names, Mapping) else {name: name for name in names}
