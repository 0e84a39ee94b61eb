"""From settings to the parts that they name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from mlplab.engine import NumpyEngine
from mlplab.engine.numpy_engine import Array
from mlplab.errors import DataError, SettingError, shorten
from mlplab.nn.activations import ACTIVATIONS, Activation
from mlplab.nn.initializers import INITIALIZERS, Initializer
from mlplab.nn.losses import LOSSES, Loss
from mlplab.nn.network import Network, count_parameters
from mlplab.nn.optimizers import OPTIMIZERS
from mlplab.randomness import ORDER, WEIGHTS, generator
from mlplab.training.batches import BatchReader, Rows
from mlplab.training.settings import Settings, layer_widths
from mlplab.training.trainer import EVALUATION_BATCH, Rates, Trainer

T = TypeVar("T")


def layer_sizes(hidden_layer_sizes: Any, inputs: int, classes: int) -> tuple[int, ...]:
    """Return the sizes of all layers: inputs, hidden layers, outputs. Two classes need one output only."""
    return (inputs, *layer_widths(hidden_layer_sizes), classes if classes > 2 else 1)


def _named(table: Mapping[str, T], part: str | T) -> T:
    """Return the part of that name, or the user's own as it is."""
    return table[part] if isinstance(part, str) else part


def build_loss(settings: Settings, classes: int) -> Loss:
    """Return the loss for that many classes."""
    table = {name: multiclass if classes > 2 else binary for name, (binary, multiclass) in LOSSES.items()}
    loss: Loss = _named(table, settings.loss)
    return loss


def class_targets(classes: int) -> Array:
    """Return the target of each class, (classes, outputs): a one at its place; 0 and 1 for two classes."""
    return np.eye(classes) if classes > 2 else np.array([[0.0], [1.0]])


def build_network(settings: Settings, inputs: int, classes: int, engine: NumpyEngine, seeds: Sequence[int]) -> Network:
    """Return a network with a member for each seed, its weights drawn."""
    activation: Activation = _named(ACTIVATIONS, settings.activation)
    automatic = "he_normal" if settings.activation == "relu" else "glorot_normal"
    initializer: Initializer = _named(INITIALIZERS | {"auto": INITIALIZERS[automatic]}, settings.initializer)
    sizes = layer_sizes(settings.hidden_layer_sizes, inputs, classes)
    try:
        network = Network(engine, sizes, activation, settings.fit_intercept, len(seeds))
    except (MemoryError, OverflowError, ValueError) as error:  # NumPy has a different one for every kind of too much
        count = count_parameters(sizes, settings.fit_intercept)
        raise SettingError(f"hidden_layer_sizes: a network of {count:.2g} parameters is beyond the memory") from error
    network.initialize(initializer, [generator(seed, WEIGHTS) for seed in seeds])
    return network


def build_trainer(
    members: Sequence[Settings],
    network: Network,
    loss: Loss,
    classes: int,
    training: Rows,
    validation: Rows | None,
    seeds: Sequence[int],
) -> Trainer:
    """Return the trainer of a network whose members have these settings and seeds.

    Members may differ in `learning_rate_init`, `alpha`, `weight_decay` and their seeds; everything else is the first
    one's.
    """
    settings, targets, engine = members[0], class_targets(classes), network.engine
    batch_size = min(200, len(training)) if settings.batch_size == "auto" else settings.batch_size
    if batch_size > len(training):
        warnings.warn(f"batch_size={batch_size} is cut to the {len(training)} training rows", stacklevel=4)
    return Trainer(
        network,
        loss,
        OPTIMIZERS[settings.solver](network, settings),
        Rates(*zip(*((s.learning_rate_init, s.alpha, s.weight_decay) for s in members), strict=True)),
        BatchReader(engine, training, targets, batch_size, len(members)),
        BatchReader(engine, validation, targets, EVALUATION_BATCH, len(members)) if validation else None,
        [generator(seed, ORDER) for seed in seeds] if settings.shuffle else None,
    )


def set_start(name: str, given: Sequence[Array] | None, views: list[Array]) -> None:
    """Copy start weights into the network's views, in place."""
    if given is None:
        return
    try:
        starts = [np.asarray(start, np.float64) for start in given]
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold an array of numbers for each layer; got {shorten(given)}") from error
    expected, got = [view.shape for view in views], [start.shape for start in starts]
    if got != expected:
        raise DataError(f"{name} must hold an array for each layer, of shapes {expected}; got {got}")
    if not all(np.isfinite(start).all() for start in starts):
        raise DataError(f"{name} holds NaN or infinity")
    for view, start in zip(views, starts, strict=True):
        view[...] = start
