"""Arrays and their operations; matrix products by a BLAS library."""

from mlplab.engine.numpy_engine import NumpyEngine

__all__ = ["NumpyEngine"]
