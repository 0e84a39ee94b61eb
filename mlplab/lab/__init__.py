"""Suites of experiments: trained in parallel, stored on disk, concluded."""

from mlplab.utils.lazy import lazy_exports

#: The public names. Most import scikit-learn, SciPy or pandas: a second that reading a suite does not need.
__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
