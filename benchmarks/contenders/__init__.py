"""The contenders: who they are, what each can do, and what each module here offers.

A module here imports its framework at its top, so it is imported by that contender's own process alone. It offers what
its contender's `tasks` name, as functions that prepare what is then timed:

- "train": ``training(case, X, y)`` returns a function that makes one untimed epoch and then `case.epochs` timed ones,
  rows gathered in a new random order in each, and returns the seconds of the latter. It may go on from the weights that
  it reached before;
- "predict": ``predicting(sizes, X)`` returns a function that computes the probabilities of all rows at once;
- "multiply": ``product(m, k, n)`` returns a function that multiplies two float32 matrices, (m, k) by (k, n).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter


@dataclass(frozen=True)
class Contender:
    """A way to train and use a network.

    Attributes:
        name: in tables.
        module: where its functions are.
        packages: what must be installed for it.
        tasks: of "train", "predict", "multiply".
        compiler: whether it needs a C++ compiler.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    tasks: tuple[str, ...]
    compiler: bool = False

    def missing(self) -> str | None:
        """Return why it cannot take part, or None."""
        absent = [package for package in self.packages if find_spec(package) is None]
        if absent:
            return f"{absent[0]} is not installed"
        if self.compiler and not shutil.which(os.environ.get("CXX", "c++")) and not shutil.which("clang++"):
            return "there is no C++ compiler"
        return None


_ALL = ("train", "predict", "multiply")
OURS = Contender("mlplab", f"{__name__}.ours", ("mlplab",), _ALL)
NOTEBOOK = Contender("notebook", f"{__name__}.notebook", ("numpy",), ("train", "multiply"))
SCIKIT_LEARN = Contender("scikit-learn", f"{__name__}.scikit_learn", ("sklearn",), ("train", "predict"))
PYTORCH = Contender("PyTorch", f"{__name__}.pytorch", ("torch",), _ALL)
COMPILED = Contender("torch.compile", f"{__name__}.pytorch_compiled", ("torch",), ("train",), compiler=True)
JAX = Contender("JAX", f"{__name__}.jax_scan", ("jax",), _ALL)
ONNX = Contender("ONNX Runtime", f"{__name__}.onnx_runtime", ("onnxruntime", "onnx"), ("predict",))
CONTENDERS = (OURS, NOTEBOOK, SCIKIT_LEARN, PYTORCH, COMPILED, JAX, ONNX)


def seconds_of(epoch: Callable[[], object], count: int) -> float:
    """Make one epoch untimed and return the seconds of `count` more."""
    epoch()
    started = perf_counter()
    for _ in range(count):
        epoch()
    return perf_counter() - started
