"""Build the parts that the settings name."""

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
    """Return the part with this name, or the user's own part unchanged."""
    return table[part] if isinstance(part, str) else part


def name_in(table: Mapping[str, Any], part: object) -> str | None:
    """Return the name of a part, or None for the user's own."""
    return next((name for name, known in table.items() if known is part), None)


def build_loss(settings: AnySettings, task: Task) -> Loss:
    """Return the loss for a task.

    Raises:
        SettingError: for a loss that does not suit the task.
    """
    if not isinstance(settings.loss, str):
        own: Loss = settings.loss
        return own
    for out_activation in task.out_activations:
        if out_activation in LOSSES[settings.loss]:
            return LOSSES[settings.loss][out_activation]
    fitting = [name for name, losses in LOSSES.items() if set(losses) & set(task.out_activations)]
    raise SettingError(f"loss={settings.loss!r} cannot be used for this task; use {one_of(fitting)}")


def check_parts(settings: AnySettings, task: Task) -> None:
    """Check that the settings can be combined, without creating any arrays.

    Raises:
        SettingError: for settings that are valid on their own but cannot be combined.
    """
    build_activations(settings)
    build_loss(settings, task)
    if settings.solver == "lbfgs":
        _check_for_lbfgs(settings, build_noise(settings), build_normalization(settings))


def build_engine(settings: AnySettings, dtype: npt.DTypeLike) -> Engine:
    """Return the engine for these settings, computing in `dtype`.

    This is the only place that names an implementation. There is one so far, and no setting to select one.
    """
    return NumpyEngine(dtype)


def build_network(settings: AnySettings, inputs: int, outputs: int, engine: Engine, seeds: Sequence[int]) -> Network:
    """Return a network with a member for each seed, with its weights drawn."""
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
    except (MemoryError, OverflowError, ValueError) as error:  # which one NumPy raises depends on the size
        count = count_parameters(sizes, settings.fit_intercept, normalization is not None)
        raise SettingError(f"hidden_layer_sizes: a network of {count:.2g} parameters does not fit in memory") from error
    # the output layer uses the initializer of the layer below it
    parts = [*activations, *(activations[-1:] or [_named(ACTIVATIONS, settings.activation)])]
    if settings.initializer == "auto":
        initializers = [INITIALIZERS[getattr(part, "initializer", "glorot_uniform")] for part in parts]
    else:
        initializers = [_named(INITIALIZERS, settings.initializer)] * len(parts)
    network.initialize(initializers, [generator(seed, WEIGHTS) for seed in seeds])
    return network


def renew_network(settings: AnySettings, network: Network) -> None:
    """Set the activations and the noise of a network that is trained further, in place.

    Raises:
        SettingError: for settings that need other parameters than the network has.
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
            raise SettingError(f"{name} cannot change when an existing network is trained further: fit a new one")
    network.activations = [*build_activations(settings), network.activations[-1]]
    network.noise = build_noise(settings)
    if settings.solver == "lbfgs":
        _check_for_lbfgs(settings, network.noise, network.normalization)


def _check_for_lbfgs(settings: AnySettings, noise: Noise, normalization: Normalization | None) -> None:
    """Raise SettingError for settings that a solver without batches and steps would silently ignore."""
    if noise or (normalization and normalization.runs):
        raise SettingError("solver='lbfgs' needs a deterministic loss, without noise, dropout or batch normalization")
    for name in ("max_norm", "clip_norm", "ema_decay", "average_epochs", "warmup_epochs"):
        if getattr(settings, name):
            raise SettingError(f"{name} cannot be used with solver='lbfgs', whose steps are computed by SciPy")


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
        raise SettingError(
            f"activation must be one or a list with one for each of the {hidden} hidden layers; got {len(given)}"
        )
    return [_named(ACTIVATIONS, part) for part in given]


def build_normalization(settings: AnySettings) -> Normalization | None:
    """Return the normalization of the hidden layers, or None."""
    given = settings.normalization
    return None if given is None else _named(NORMALIZATIONS, given)


def build_noise(settings: AnySettings) -> Noise:
    """Return the noise that is added in training."""
    return Noise(**{name: getattr(settings, name) for name in vars(Noise())})


def build_learner(settings: AnySettings, network: Network, seeds: Sequence[int], rows: int = 0) -> Learner:
    """Return the learner of a network before its first step; the members' seeds determine the noise and the row order.

    rows: the number of rows that the network has been trained on already.
    """
    given = settings.learning_rate
    # a user's own schedule may change during training: each fit uses a copy, so that two fits are identical
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

    Members may differ in `learning_rate_init`, `alpha`, `weight_decay` and their seeds; all other settings are taken
    from the first member.
    """
    settings, engine = members[0], learner.network.engine
    batch_size = min(200, len(training)) if settings.batch_size == "auto" else settings.batch_size
    if settings.solver == "lbfgs":  # which sums over all batches
        batch_size = min(EVALUATION_BATCH, len(training))
    if batch_size > len(training):
        warn(f"batch_size={batch_size} is reduced to the {len(training)} training rows")
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
        # the validation loss uses the targets without label smoothing
        reader(validation, task.table(smooth=False), EVALUATION_BATCH) if validation else None,
        histories,
    )


def set_start(name: str, given: Sequence[Array] | None, views: list[Array]) -> None:
    """Copy initial weights into the network's views, in place."""
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
