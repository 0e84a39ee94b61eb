"""PyTorch, eager: the loop of its tutorials, on tensors in memory instead of a DataLoader, which would be slower."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.cases import LEARNING_RATES, Case
from benchmarks.contenders import seconds_of
from benchmarks.rows import Array, random_matrices

Loss = Callable[[Tensor, Tensor], Tensor]


def training(case: Case, X: Array, y: Array, wrap: Callable[[Loss], Loss] = lambda loss: loss) -> Callable[[], float]:
    """Prepare rounds of training; `wrap` may compile the loss with all its way through the network."""
    features, labels = torch.from_numpy(X), torch.from_numpy(y)
    network = _network(case.sizes)
    loss = wrap(lambda rows, targets: nn.functional.cross_entropy(network(rows), targets))
    optimizers = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    optimizer = optimizers[case.solver](network.parameters(), lr=LEARNING_RATES[case.solver], fused=True)

    def epoch() -> None:
        for rows in torch.randperm(len(labels)).split(case.batch_size):
            optimizer.zero_grad()
            loss(features[rows], labels[rows]).backward()
            optimizer.step()

    return lambda: seconds_of(epoch, case.epochs)


def predicting(sizes: tuple[int, ...], X: Array) -> Callable[[], object]:
    network, features = _network(sizes), torch.from_numpy(X)

    @torch.inference_mode()
    def predict() -> Tensor:
        return network(features).softmax(dim=1)

    return predict


def product(m: int, k: int, n: int) -> Callable[[], object]:
    A, B = map(torch.from_numpy, random_matrices(m, k, n))
    out = torch.empty(m, n)
    return lambda: torch.mm(A, B, out=out)


def _network(sizes: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.Sigmoid()]
    return nn.Sequential(*layers[:-1])
