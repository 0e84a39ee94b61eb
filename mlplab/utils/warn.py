"""Warnings that point to the line of the user's program that caused them."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from os import sep
from pathlib import Path


def _folder_of_scikit_learn() -> str:
    spec = find_spec("sklearn")
    return f"{Path(spec.origin).parent}{sep}" if spec and spec.origin else f"{sep}sklearn{sep}"


#: Folders whose frames are skipped: mlplab's, and scikit-learn's, whose pipelines may call mlplab.
_INSIDE = (f"{Path(__file__).parents[1]}{sep}", _folder_of_scikit_learn())


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning located at the first caller outside mlplab and scikit-learn."""
    frame, level = sys._getframe(1), 2  # for `warnings.warn`, this function is level 1
    while frame.f_back and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
