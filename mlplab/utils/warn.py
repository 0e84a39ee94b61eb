"""Warnings that point at the line of the user's program that caused them."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from os import sep
from pathlib import Path


def _folder_of_scikit_learn() -> str:
    spec = find_spec("sklearn")
    return f"{Path(spec.origin).parent}{sep}" if spec and spec.origin else f"{sep}sklearn{sep}"


#: Frames of these folders are not the user's: mlplab's own, and scikit-learn's, which may stand between (a pipeline).
_INSIDE = (f"{Path(__file__).parents[1]}{sep}", _folder_of_scikit_learn())


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the first caller outside of mlplab and scikit-learn."""
    frame, level = sys._getframe(1), 2  # level 1 is this function, as `warnings.warn` counts
    while frame.f_back and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
