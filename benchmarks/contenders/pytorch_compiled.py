"""PyTorch with torch.compile around the loss: forward and backward are compiled, the fused optimizer is as it was."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.cases import Case
from benchmarks.contenders import pytorch
from benchmarks.rows import Array


def training(case: Case, X: Array, y: Array) -> Callable[[], float]:
    torch.compiler.reset()  # else another batch size would be compiled for any size, which is slower
    return pytorch.training(case, X, y, wrap=lambda loss: torch.compile(loss, dynamic=False))
