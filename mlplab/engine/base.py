"""What an engine is to the rest of the package."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

#: An array of any engine; on the CPU one of NumPy's.
Array = npt.NDArray[Any]
