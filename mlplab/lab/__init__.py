"""Suites of experiments: read, trained in parallel, kept on disk, concluded."""

from typing import TYPE_CHECKING, Any

from mlplab.lab.suite import Experiment, Suite, load_suite

__all__ = ["Experiment", "Suite", "load_suite", "run_suite"]

if TYPE_CHECKING:
    from mlplab.lab.runner import run_suite


def __getattr__(name: str) -> Any:  # the runner imports scikit-learn: a second that reading a suite does not need
    if name == "run_suite":
        from mlplab.lab.runner import run_suite

        return run_suite
    raise AttributeError(f"module 'mlplab.lab' has no attribute {name!r}")
