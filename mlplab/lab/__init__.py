"""Suites of experiments: read, trained in parallel, kept on disk, concluded."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlplab.lab.suite import Experiment, Suite, load_suite

__all__ = [
    "Experiment",
    "Suite",
    "compare_configurations",
    "compare_results",
    "load_results",
    "load_suite",
    "run_suite",
]

if TYPE_CHECKING:
    from mlplab.lab.comparison import compare_configurations
    from mlplab.lab.folder_comparison import compare_results
    from mlplab.lab.results import load_results
    from mlplab.lab.runner import run_suite

#: Where the others live. They import scikit-learn, SciPy or pandas: a second that reading a suite does not need.
_HOMES = {
    "compare_configurations": "mlplab.lab.comparison",
    "compare_results": "mlplab.lab.folder_comparison",
    "load_results": "mlplab.lab.results",
    "run_suite": "mlplab.lab.runner",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlplab.lab' has no attribute {name!r}")
