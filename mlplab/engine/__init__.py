"""Where arrays live, and the one heavy primitive."""

from mlplab.engine.numpy_engine import NumpyEngine

__all__ = ["NumpyEngine"]
