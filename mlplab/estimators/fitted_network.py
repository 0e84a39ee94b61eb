"""The fitted network: what predictions, exports, model files and summaries read, whatever the estimator around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlplab.engine.base import Array
from mlplab.errors import DataError
from mlplab.nn.losses import Loss
from mlplab.nn.network import Network
from mlplab.training.build import AnySettings, build_engine, build_loss, build_network, renew_network
from mlplab.training.prediction import Predictor
from mlplab.training.tasks import Task
from mlplab.training.trainer import EVALUATION_BATCH


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network and what its logits mean. Training changes the arrays of the network in place.

    Attributes:
        network: of one member.
        task: what the outputs stand for.
        loss: turns logits into outputs.
        input_scale: the rows of X are multiplied by it on their way into the network.
    """

    network: Network
    task: Task
    loss: Loss
    input_scale: float = 1.0

    @classmethod
    def build(cls, settings: AnySettings, task: Task, inputs: int, dtype: np.dtype[Any], seed: int) -> FittedNetwork:
        """Return a network for these settings, its weights drawn with the seed.

        Raises:
            SettingError: for settings that do not go together.
        """
        loss = build_loss(settings, task)
        engine = build_engine(settings, dtype)
        network = build_network(settings, inputs, task.outputs, engine, [seed])
        return cls(network, task, loss, settings.input_scale)

    def with_settings(self, settings: AnySettings) -> FittedNetwork:
        """Return the same network with the loss and the input scale of other settings, to train it further.

        The activations and the noise of the network are replaced in place; its weights stay.

        Raises:
            SettingError: for settings that need a network of another shape, type or normalization.
        """
        renew_network(settings, self.network)
        return replace(self, loss=build_loss(settings, self.task), input_scale=settings.input_scale)

    # ---- parameters ----------------------------------------------------------------------------------------------

    @property
    def coefs(self) -> list[Array]:
        """The weights W (I, O) of every layer: views of the parameters."""
        return [W[0] for W in self.network.theta.weights]

    @property
    def intercepts(self) -> list[Array]:
        """The biases b (O,) of every layer: views of the parameters; new zeros where there are none."""
        if self.network.theta.biases:
            return [b[0, 0] for b in self.network.theta.biases]
        return [self.network.engine.zeros(o) for o in self.network.sizes[1:]]

    def arrays(self) -> dict[str, Array]:
        """Return views of all arrays that predictions depend on, by the names that model files use."""
        return self.network.arrays()

    def copy_arrays(self) -> dict[str, Array]:
        """Return copies of `arrays`."""
        return {name: self.network.engine.copy(view) for name, view in self.arrays().items()}

    def set_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Copy arrays, named as those of `arrays`, into the network.

        Raises:
            DataError: for other names, shapes or types than those of the network.
        """
        views = self.arrays()
        if _describe(views) != _describe(arrays):
            raise DataError("the weights do not fit the settings")
        for name, view in views.items():
            view[...] = arrays[name]

    # ---- predictions ---------------------------------------------------------------------------------------------

    def logits(self, X: Any, rows: Array | None = None) -> Array:
        """Return the logits of some rows of X, (N, C).

        Args:
            X: (K, I), checked: dense, a memory map, or sparse by rows.
            rows: (N,) the indices of the rows; None takes all K of them.
        """
        return self._in_batches(lambda xp, z: z, X, rows)

    def outputs(self, X: Any, rows: Array | None = None) -> Array:
        """Return the probabilities or the values that the loss derives from the logits, (N, C); see `logits`."""

        def predict(xp: Any, z: Array) -> Array:
            self.loss.predict(xp, z)
            return z

        return self._in_batches(predict, X, rows)

    def decisions(self, X: Any, rows: Array | None = None) -> Array:
        """Return the predictions of the task in the form of its targets, (N, ...); see `logits`."""
        return self._in_batches(self.task.decide, X, rows)

    def _in_batches(self, function: Callable[[Any, Array], Array], X: Any, rows: Array | None) -> Array:
        """Return ``function(xp, logits)`` of some rows of X, (N, ...), computed batch by batch."""
        engine, predictor, parts, size = self.network.engine, Predictor(self.network, self.loss), [], 0
        numbers = np.arange(X.shape[0]) if rows is None else rows
        in_place = rows is None and isinstance(X, np.ndarray) and X.dtype == engine.dtype and self.input_scale == 1
        for start in range(0, len(numbers), EVALUATION_BATCH):
            part = numbers[start : start + EVALUATION_BATCH]
            if len(part) != size:
                size = len(part)
                buffer = engine.empty(1, size, X.shape[1])
            if in_place:
                batch = X[None, start : start + size]
            else:
                batch = buffer
                engine.gather(X, part[None], batch, self.input_scale)
            with engine.quiet():
                z = predictor.logits(batch)
            parts.append(engine.to_numpy(function(engine.xp, z))[0].copy())
        return np.concatenate(parts)


def _describe(arrays: Mapping[str, Array]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}
