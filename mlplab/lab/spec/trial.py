"""Trials: the settings, the identity, the label and the result of one training of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from math import inf, isnan
from typing import Any, Self

from mlplab.lab.spec.status import Status
from mlplab.nn.schedules import HORIZON_DEPENDENT
from mlplab.training.history import MEASURES, Epoch, History
from mlplab.training.settings import DEFAULTS, layer_widths
from mlplab.utils.hashing import hash_json
from mlplab.version import NUMERICS

#: Settings that do not affect the result, or that the identity contains under another name.
_NOT_IN_IDENTITY = ("random_state", "verbose", "callbacks")
#: Short names of settings for labels and legends; the first three are in every label, as in the notebook.
_SHORT = {"learning_rate_init": "lr", "weight_decay": "reg", "max_iter": "iter", "learning_rate": "schedule"}
_IN_EVERY_LABEL = ("hidden_layer_sizes", "learning_rate_init", "weight_decay", "max_iter")


@dataclass(frozen=True)
class Trial:
    """One training of a network.

    Attributes:
        settings: the given settings; all others have their defaults. Without `input_scale`, the scale of the data set
            is used.
        seed: the seed of the initial weights, the row order and the noise. The split is the same for all seeds, so that
            the variation over seeds can be separated from the variation over rows (docs/decisions/0007).
        data: the fingerprint of the data set.
        split, samples: the name of the split and the number of rows, as in `Suite`.
    """

    settings: Mapping[str, Any]
    seed: int
    data: str
    split: str
    samples: int | None

    def __getitem__(self, setting: str) -> Any:
        return self.settings.get(setting, DEFAULTS[setting])

    def plain_settings(self) -> dict[str, Any]:
        """Return the settings as JSON values: tuples become lists, and infinity, which JSON lacks, becomes a string."""
        return {
            name: list(v) if isinstance(v, tuple) else str(v) if v in (inf, -inf) else v
            for name, v in self.settings.items()
        }

    @cached_property
    def id(self) -> str:
        """A hash of everything that determines the result."""
        return _hash(self._identity())

    @cached_property
    def configuration(self) -> str:
        """A hash of everything that determines the result, except the seed."""
        return _hash({**self._identity(), "seed": None})

    @cached_property
    def lineage(self) -> str:
        """A hash shared by trials that differ in `max_iter` only, so that one training gives all their results.

        This requires that only the number of epochs ends a training and that no schedule depends on that number.
        """
        planned = self["learning_rate"] in HORIZON_DEPENDENT or self["average_epochs"] or self["solver"] == "lbfgs"
        if planned or self["tol"] is not None or self["early_stopping"]:
            return self.id
        identity = self._identity()
        return _hash({**identity, "settings": {**identity["settings"], "max_iter": None}})

    def _identity(self) -> dict[str, Any]:
        settings = {name: value for name, value in self.settings.items() if name not in _NOT_IN_IDENTITY}
        return {
            "numerics": NUMERICS,
            # defaults are left out, so that a new setting does not change the ids of old trials; 0 and 0.0 are equal;
            # an `input_scale` of 1 is kept, because without it the scale of the data set is used
            "settings": {
                name: normal(name, value)
                for name, value in settings.items()
                if normal(name, value) != normal(name, DEFAULTS[name]) or name == "input_scale"
            },
            "seed": self.seed,
            "data": self.data,
            "split": self.split,
            "samples": self.samples,
        }

    def label(self, inputs: int, classes: int, varying: list[str]) -> str:
        """Return the label in the format of the notebook: ``[784-1024-10]_iter20_lr0.01_reg0.0``.

        Args:
            inputs, classes: the sizes of the input and the output layer.
            varying: the settings that differ within the suite; those that the label lacks are appended.
        """
        shape = "-".join(map(str, (inputs, *layer_widths(self["hidden_layer_sizes"]), classes)))
        text = f"[{shape}]_iter{self['max_iter']}_lr{self['learning_rate_init']:g}_reg{float(self['weight_decay'])}"
        for name in varying:
            if name not in _IN_EVERY_LABEL:
                text += f"_{name}={describe_value(self[name])}"
        return text


def describe_value(value: Any) -> str:
    """Return a setting's value as a short text: ``1024-512``, ``0.01``, ``none``."""
    if isinstance(value, tuple | list):
        return "-".join(map(str, value)) or "no hidden layer"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return "none" if value is None else str(value)


def describe_setting(name: str, value: Any) -> str:
    """Return a setting with its value for a legend or a sentence: ``1024-512``, ``lr 0.01``."""
    text = describe_value(value)
    return text if name == "hidden_layer_sizes" else f"{_SHORT.get(name, name.replace('_', ' '))} {text}"


def normal(name: str, value: Any) -> Any:
    """Return a setting's value in a normal form: 0 and 0.0 are equal, and so are 64 and (64,)."""
    if name == "hidden_layer_sizes":
        return layer_widths(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def lab_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a trial: the given ones and the lab's own default for `tol`.

    Unless early stopping is requested, `tol` is None, so that trials run for all their epochs and can be compared.
    """
    return dict(given) if given.get("early_stopping") else {"tol": None, **given}


def _hash(identity: dict[str, Any]) -> str:
    return hash_json(identity)[:12]


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial: the content of its ``trial.json``.

    Attributes:
        id, label, seed: the id, the label and the seed of the trial.
        settings: the given settings.
        status: the status, never WAITING.
        epochs: number of finished epochs.
        train_loss, train_accuracy, val_loss, val_accuracy, val_brier: measures after the last finished epoch; None if
            not measured. With early stopping, the validation measures belong to the epoch whose weights were kept.
        seconds: wall-clock time of the epochs.
        parameters: number of parameters.
        error: the reason why the trial diverged or failed, or None.
    """

    id: str
    label: str
    seed: int
    settings: dict[str, Any]
    status: Status
    epochs: int
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    seconds: float
    parameters: int
    error: str | None = None
    val_brier: float | None = None  # new fields need a default, because files of earlier versions lack them

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", Status(self.status))  # in JSON, the status is a string

    @classmethod
    def of(
        cls,
        trial: Trial,
        label: str,
        history: History,
        *,
        status: Status,
        parameters: int,
        kept: Epoch | None = None,
        error: str | None = None,
    ) -> Self:
        """Return the result of a trial with this history.

        Args:
            status, parameters, error: see the attributes.
            kept: the epoch whose weights were kept; None means the last one.
        """
        last = history.epochs[-1] if history.epochs else None
        epoch_of = {"training": last, "validation": kept or last}
        names = {field.name for field in fields(cls)}
        return cls(
            id=trial.id,
            label=label,
            seed=trial.seed,
            settings=trial.plain_settings(),
            status=status,
            epochs=len(history),
            **{one.column: _measured(epoch_of[one.rows], one.column) for one in MEASURES if one.column in names},
            seconds=round(sum(history["seconds"], 0.0), 3),
            parameters=parameters,
            error=error,
        )

    @classmethod
    def failed(cls, trial: Trial, label: str, error: str) -> Self:
        """Return the result of a failed trial without any epochs; `error` is the reason."""
        return cls.of(trial, label, History(), status=Status.FAILED, parameters=0, error=error)


def _measured(epoch: Epoch | None, column: str) -> float | None:
    """Return a measure of an epoch, or None if there is no epoch or no value."""
    value: float | None = getattr(epoch, column, None)
    return None if value is None or isnan(value) else value
