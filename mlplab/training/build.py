"""From settings to the parts that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mlplab.engine.base import Array, Engine
from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.errors import DataError, SettingError, one_of, shorten
from mlplab.nn.activations import ACTIVATIONS, Activation
from mlplab.nn.initializers import INITIALIZERS
from mlplab.nn.losses import LOSSES, Loss
from mlplab.nn.network import Network, count_parameters
from mlplab.nn.noise import Noise
from mlplab.nn.normalization import NORMALIZATIONS, Normalization
from mlplab.nn.optimizers import OPTIMIZERS
from mlplab.nn.schedules import SCHEDULES, WarmUp
from mlplab.training.averaging import ExponentialAverage, LastEpochsAverage, NoAverage, WeightAverage
from mlplab.training.batches import BatchReader, Rows
from mlplab.training.history import History
from mlplab.training.settings import RegressorSettings, Settings, layer_widths
from mlplab.training.tasks import Task
from mlplab.training.trainer import EVALUATION_BATCH, Learner, Rates, Trainer
from mlplab.utils.randomness import NOISE, ORDER, WEIGHTS, generator
from mlplab.utils.warn import warn

T = TypeVar("T")
AnySettings = Settings | RegressorSettings


def layer_sizes(hidden_layer_sizes: Any, inputs: int, outputs: int) -> tuple[int, ...]:
    """Return the sizes of all layers: inputs, hidden layers, outputs."""
    return (inputs, *layer_widths(hidden_layer_sizes), outputs)


def _named(table: Mapping[str, T], part: str | T) -> T:
    """Return the part of that name, or the user's own as it is."""
    return table[part] if isinstance(part, str) else part


def name_in(table: Mapping[str, Any], part: object) -> str | None:
    """Return the name of a part, None for one of the user's own."""
    return next((name for name, known in table.items() if known is part), None)


def build_loss(settings: AnySettings, task: Task) -> Loss:
    """Return the loss for a task.

    Raises:
        SettingError: for one that does not go with it.
    """
    if not isinstance(settings.loss, str):
        own: Loss = settings.loss
        return own
    for out_activation in task.out_activations:
        if out_activation in LOSSES[settings.loss]:
            return LOSSES[settings.loss][out_activation]
    fitting = [name for name, losses in LOSSES.items() if set(losses) & set(task.out_activations)]
    raise SettingError(f"loss={settings.loss!r} does not go with this task; {one_of(fitting)} would")


def check_parts(settings: AnySettings, task: Task) -> None:
    """Build what the settings name, without any arrays.

    Raises:
        SettingError: for settings that are allowed one by one, but do not go together.
    """
    build_activations(settings)
    build_loss(settings, task)
    if settings.solver == "lbfgs":
        _check_for_lbfgs(settings, build_noise(settings), build_normalization(settings))


def build_engine(settings: AnySettings, dtype: npt.DTypeLike) -> Engine:
    """Return the engine that these settings choose, computing in `dtype`: the only place that names an implementation.

    There is one implementation so far, and no setting that chooses.
    """
    return NumpyEngine(dtype)


def build_network(settings: AnySettings, inputs: int, outputs: int, engine: Engine, seeds: Sequence[int]) -> Network:
    """Return a network with a member for each seed, its weights drawn."""
    sizes = layer_sizes(settings.hidden_layer_sizes, inputs, outputs)
    activations, normalization, noise = (
        build_activations(settings),
        build_normalization(settings),
        build_noise(settings),
    )
    if settings.solver == "lbfgs":
        _check_for_lbfgs(settings, noise, normalization)
    try:
        network = Network(engine, sizes, activations, settings.fit_intercept, len(seeds), normalization, noise)
    except (MemoryError, OverflowError, ValueError) as error:  # NumPy has a different one for every kind of too much
        count = count_parameters(sizes, settings.fit_intercept, normalization is not None)
        raise SettingError(f"hidden_layer_sizes: a network of {count:.2g} parameters is beyond the memory") from error
    # the output layer's weights are drawn as those of the layer below it
    parts = [*activations, *(activations[-1:] or [_named(ACTIVATIONS, settings.activation)])]
    if settings.initializer == "auto":
        initializers = [INITIALIZERS[getattr(part, "initializer", "glorot_uniform")] for part in parts]
    else:
        initializers = [_named(INITIALIZERS, settings.initializer)] * len(parts)
    network.initialize(initializers, [generator(seed, WEIGHTS) for seed in seeds])
    return network


def renew_network(settings: AnySettings, network: Network) -> None:
    """Give a network that is to be trained on the activations and the noise of these settings, in place.

    Raises:
        SettingError: for settings that want other parameters than it has.
    """
    sizes = layer_sizes(settings.hidden_layer_sizes, network.sizes[0], network.sizes[-1])
    there = {
        "hidden_layer_sizes": (network.sizes[1:-1], sizes[1:-1]),
        "fit_intercept": (network.fit_intercept, bool(settings.fit_intercept)),
        "normalization": (network.normalization, build_normalization(settings)),
        "dtype": (network.engine.dtype, np.dtype(settings.dtype or network.engine.dtype)),
    }
    for name, (has, wanted) in there.items():
        if has != wanted:
            raise SettingError(f"{name} cannot change in a network that is trained on: fit a new one")
    network.activations = [*build_activations(settings), network.activations[-1]]
    network.noise = build_noise(settings)
    if settings.solver == "lbfgs":
        _check_for_lbfgs(settings, network.noise, network.normalization)


def _check_for_lbfgs(settings: AnySettings, noise: Noise, normalization: Normalization | None) -> None:
    """Raise SettingError for what a solver without batches and steps cannot do, and would leave out in silence."""
    if noise or (normalization and normalization.runs):
        raise SettingError("solver='lbfgs' needs the same loss every time: no noise, dropout or batch normalization")
    for name in ("max_norm", "clip_norm", "ema_decay", "average_epochs", "warmup_epochs"):
        if getattr(settings, name):
            raise SettingError(f"{name} does not go with solver='lbfgs', which makes no steps of ours")


def build_activations(settings: AnySettings) -> list[Activation]:
    """Return the activation of every hidden layer.

    Raises:
        SettingError: for a list of another length.
    """
    hidden = len(layer_widths(settings.hidden_layer_sizes))
    given = settings.activation
    if not isinstance(given, list | tuple):
        return [_named(ACTIVATIONS, given)] * hidden
    if len(given) != hidden:
        raise SettingError(f"activation must be one or one for each of the {hidden} hidden layers; got {len(given)}")
    return [_named(ACTIVATIONS, part) for part in given]


def build_normalization(settings: AnySettings) -> Normalization | None:
    """Return what normalises the hidden layers, if anything."""
    given = settings.normalization
    return None if given is None else _named(NORMALIZATIONS, given)


def build_noise(settings: AnySettings) -> Noise:
    """Return what training adds."""
    return Noise(**{name: getattr(settings, name) for name in vars(Noise())})


def build_learner(settings: AnySettings, network: Network, seeds: Sequence[int], rows: int = 0) -> Learner:
    """Return what trains a network, from its first step; the order of the rows is drawn with the members' seeds.

    rows: those that the network has learnt from already.
    """
    given = settings.learning_rate
    # an object of the user's own may change during training: each fit uses a copy, so that two fits are alike
    schedule = SCHEDULES[given](settings) if isinstance(given, str) else deepcopy(given)
    if settings.warmup_epochs:
        schedule = WarmUp(settings.warmup_epochs, schedule)
    network.generators = [generator(seed, NOISE) for seed in seeds]
    average: WeightAverage = NoAverage()
    if settings.ema_decay is not None:
        average = ExponentialAverage(settings.ema_decay)
    elif settings.average_epochs:
        average = LastEpochsAverage(settings.max_iter + 1 - settings.average_epochs)
    return Learner(
        network,
        None if settings.solver == "lbfgs" else _named(OPTIMIZERS, settings.solver)(network, settings),
        schedule,
        [generator(seed, ORDER) for seed in seeds] if settings.shuffle else None,
        average,
        rows=rows,
    )


def build_trainer(
    members: Sequence[AnySettings],
    learner: Learner,
    task: Task,
    training: Rows,
    validation: Rows | None,
    histories: list[History] | None = None,
) -> Trainer:
    """Return the trainer of a network whose members have these settings.

    Members may differ in `learning_rate_init`, `alpha`, `weight_decay` and their seeds; everything else is the first
    one's.
    """
    settings, engine = members[0], learner.network.engine
    batch_size = min(200, len(training)) if settings.batch_size == "auto" else settings.batch_size
    if settings.solver == "lbfgs":  # which adds all batches up
        batch_size = min(EVALUATION_BATCH, len(training))
    if batch_size > len(training):
        warn(f"batch_size={batch_size} is cut to the {len(training)} training rows")
    learning_rates, alphas, decays = zip(
        *((s.learning_rate_init, s.alpha, s.weight_decay) for s in members), strict=True
    )
    reader = partial(BatchReader, engine, members=len(members))
    return Trainer(
        learner,
        task,
        build_loss(settings, task),
        Rates(learning_rates, alphas, decays, settings.l1, settings.max_norm),
        reader(training, task.table(smooth=True), batch_size),
        # what is measured is the loss of the answers as they are
        reader(validation, task.table(smooth=False), EVALUATION_BATCH) if validation else None,
        histories,
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
