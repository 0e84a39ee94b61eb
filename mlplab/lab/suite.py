"""A suite: experiments, each one question and a grid of settings. Read from TOML, checked, expanded into trials."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import tomli_w

from mlplab.data.datasets import Source
from mlplab.data.names import DATASETS, SPLITS
from mlplab.errors import SettingError, nearest, one_of
from mlplab.lab.trial import Trial, lab_settings, normal
from mlplab.training.settings import SETTINGS, check_setting_name, check_settings, is_integer

_FOLDER = Path(__file__).parent / "suites"
_KEYS = ("name", "title", "dataset", "target", "split", "seeds", "samples", "settings", "experiment")
_EXPERIMENT_KEYS = ("name", "title", "settings", "grid")
#: Settings that the lab gives itself.
_LAB_OWN = {
    "random_state": "seeds are the suite's `seeds`",
    "callbacks": "it watches the trials itself",
    "verbose": "it shows its own progress",
    "validation_fraction": "the suite's `split` sets the validation rows aside",
}


@dataclass(frozen=True)
class Experiment:
    """One question: `settings` for all its trials, and a `grid` of values to be combined, the last varying fastest."""

    name: str
    title: str
    settings: Mapping[str, Any]
    grid: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Suite:
    """A file of experiments.

    Attributes:
        name, title: for the run folder, and for people.
        source: the data set. split: how its rows are divided; see `mlplab.data.split_rows`.
        seeds: how often every configuration is trained, with seeds 0, 1, ...
        samples: how many rows training and validation share; None is all.
        settings: for every trial.
        experiments: the questions, in order.
    """

    name: str
    title: str
    source: Source
    split: str
    seeds: int
    samples: int | None
    settings: Mapping[str, Any]
    experiments: tuple[Experiment, ...]

    def with_setting(self, name: str, value: Any) -> Suite:
        """Return the suite with one setting fixed for every trial; a grid that varies it keeps this value alone."""
        experiments = tuple(
            replace(
                experiment,
                settings={key: v for key, v in experiment.settings.items() if key != name},
                grid={key: v for key, v in experiment.grid.items() if key != name},
            )
            for experiment in self.experiments
        )
        suite = replace(self, settings={**self.settings, name: value}, experiments=experiments)
        _check_values(suite.settings, "--set: ")
        return suite

    def varying(self) -> list[str]:
        """Return the settings that differ between trials, in the order of `SETTINGS`."""
        trials = [trial for _, trial in self.cells(fingerprint="")]
        given = {name for trial in trials for name in trial.settings}
        values = {name: {repr(normal(name, trial[name])) for trial in trials} for name in given}
        return [name for name in SETTINGS if len(values.get(name, ())) > 1]

    def cells(self, fingerprint: str) -> list[tuple[Experiment, Trial]]:
        """Return every experiment with each of its trials; a trial that two experiments share appears in both.

        fingerprint: of the data, which is part of a trial's identity.
        """
        return [
            (
                experiment,
                Trial(
                    settings=lab_settings(
                        {**self.settings, **experiment.settings, **dict(zip(grid, values, strict=True))}
                    ),
                    seed=seed,
                    data=fingerprint,
                    split=self.split,
                    samples=self.samples,
                ),
            )
            for experiment in self.experiments
            for grid in [experiment.grid]
            for values in product(*grid.values())
            for seed in range(self.seeds)
        ]

    def to_toml(self) -> str:
        """Return the suite as a file that `load_suite` reads, with nothing left to defaults of the suite."""
        content: dict[str, Any] = {"name": self.name, "title": self.title, "dataset": self.source.name}
        if self.source.target is not None:
            content["target"] = self.source.target
        content |= {"split": self.split, "seeds": self.seeds}
        if self.samples is not None:
            content["samples"] = self.samples
        content["settings"] = _to_plain(self.settings)
        content["experiment"] = [
            {"name": e.name, "title": e.title, "settings": _to_plain(e.settings), "grid": _to_plain(e.grid)}
            for e in self.experiments
        ]
        return tomli_w.dumps(content)


def built_in_suites() -> dict[str, Path]:
    """Return the files of the suites that come with mlplab, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}


def load_suite(name: str | Path) -> Suite:
    """Read a built-in suite by its name, or a TOML file.

    Raises:
        SettingError: for anything in the file that is wrong, naming the file, the place and what would be right.
    """
    built_in = built_in_suites()
    path = built_in.get(str(name), Path(name))
    if not path.is_file():
        hint = nearest(name, built_in) or f"; built-in suites are {one_of(built_in)}"
        raise SettingError(f"{name}: no such suite or file{hint}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: not valid TOML: {error}") from error
    return _read(content, path)


def _read(content: dict[str, Any], path: Path) -> Suite:
    where = f"{path.name}: "
    _check_keys(content, _KEYS, where)
    name = _text(content, "name", where)
    _check_name(name, where)
    dataset = _text(content, "dataset", where)
    target = _text(content, "target", where) if "target" in content else None
    if dataset not in DATASETS:
        file = path.parent / dataset  # a path in a suite is meant from where the suite lies
        if not file.exists():
            raise SettingError(f"{where}dataset {dataset!r} is no file and not built in{nearest(dataset, DATASETS)}")
        dataset = str(file.resolve())
        beside = path.parent / target if target is not None else None
        target = str(beside.resolve()) if beside is not None and beside.is_file() else target
    split = content.get("split", "official" if dataset == "mnist" else "random")
    if split not in SPLITS:
        raise SettingError(f"{where}split must be {one_of(SPLITS)}; got {split!r}{nearest(split, SPLITS)}")
    experiments = content.get("experiment", [])
    if not isinstance(experiments, list) or not experiments:
        raise SettingError(f"{where}there must be at least one [[experiment]]")
    read = tuple(_read_experiment(experiment, where) for experiment in experiments)
    names = [experiment.name for experiment in read]
    for n in names:
        if names.count(n) > 1:
            raise SettingError(f"{where}two experiments have the name {n!r}")
    return Suite(
        name=name,
        title=_text(content, "title", where) if "title" in content else name,
        source=Source(dataset, target),
        split=split,
        seeds=check_count("seeds", content.get("seeds", 1), where),
        samples=check_count("samples", content["samples"], where) if "samples" in content else None,
        settings=_read_settings(content.get("settings", {}), f"{where}settings: "),
        experiments=read,
    )


def _read_experiment(content: Any, where: str) -> Experiment:
    if not isinstance(content, dict):
        raise SettingError(f"{where}an experiment is written [[experiment]], with two brackets")
    _check_keys(content, _EXPERIMENT_KEYS, f"{where}experiment {content.get('name', '')!r}: ")
    name = _text(content, "name", f"{where}experiment: ")
    where = f"{where}experiment {name!r}: "
    _check_name(name, where)
    grid = content.get("grid", {})
    if not isinstance(grid, dict):
        raise SettingError(f"{where}grid must be a table of lists, such as grid.max_iter = [10, 20]; got {grid!r}")
    read: dict[str, tuple[Any, ...]] = {}
    for setting, values in grid.items():
        check_setting_name(setting, f"{where}grid: ")
        if not isinstance(values, list) or not values:
            raise SettingError(f"{where}grid: {setting} must be a list of values; got {values!r}")
        read[setting] = tuple(_read_settings({setting: value}, f"{where}grid: ")[setting] for value in values)
    settings = _read_settings(content.get("settings", {}), f"{where}settings: ")
    return Experiment(name, _text(content, "title", where) if "title" in content else name, settings, read)


def _read_settings(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise SettingError(f"{where}must be a table of settings; got {content!r}")
    settings = {name: _from_plain(value) for name, value in content.items()}
    _check_values(settings, where)
    return settings


def _check_values(settings: Mapping[str, Any], where: str) -> None:
    for name in settings:
        if name in _LAB_OWN:
            raise SettingError(f"{where}{name} is no setting of a suite: {_LAB_OWN[name]}")
    check_settings(settings, where)


def check_count(name: str, value: Any, where: str = "") -> int:
    """Return `value`, or raise SettingError unless it is a whole number of at least 1."""
    if not is_integer(value) or value < 1:
        raise SettingError(f"{where}{name} must be a whole number of at least 1; got {value!r}")
    return int(value)


def _check_keys(content: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in content:
        if key not in known:
            raise SettingError(f"{where}unknown key {key!r}{nearest(key, known)}")


def _check_name(name: str, where: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise SettingError(
            f"{where}a name is made of letters, digits, '-', '_' and '.', for it names files; got {name!r}"
        )


def _text(content: Mapping[str, Any], key: str, where: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise SettingError(f"{where}{key} must be a text; got {value!r}")
    return value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Read ``KEY=VALUE`` of the command line: the value as TOML has it, or else as a text; with commas, a list.

    Raises:
        SettingError: for a text without ``=`` or an unknown setting.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingError(f"--set {text}: write KEY=VALUE, such as --set max_iter=2")
    name = name.strip()
    check_setting_name(name, "--set: ")
    return name, _from_plain(_parse(value))


def _parse(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [_parse(part) for part in text.split(",")] if "," in text and "[" not in text else text.strip()


# TOML has no null: the text "none" stands for None, both ways, and True and False are welcome too.
_WORDS = {"none": None, "None": None, "True": True, "False": False}


def _from_plain(value: Any) -> Any:
    if isinstance(value, str):
        return _WORDS.get(value, value)
    return tuple(value) if isinstance(value, list) else value


def _to_plain(value: Any) -> Any:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return {name: _to_plain(v) for name, v in value.items()}
    return [_to_plain(v) for v in value] if isinstance(value, tuple) else value
