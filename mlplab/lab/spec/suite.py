"""Suites of experiments: read from TOML files, checked, and expanded into trials."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import tomli_w

from mlplab.data.datasets import Dataset, Source
from mlplab.data.names import DATASETS, SPLITS
from mlplab.errors import SettingError, nearest, one_of
from mlplab.lab.spec.parsing import check_keys, check_name, check_values, read_settings, read_text
from mlplab.lab.spec.search import Search, check_search, read_search
from mlplab.lab.spec.trial import Trial, lab_settings, normal
from mlplab.metrics import Metric, find_metric
from mlplab.training.settings import SETTINGS, check_count, check_setting_name, to_plain

_FOLDER = Path(__file__).parent / "suites"
_KEYS = (
    "name", "title", "dataset", "target", "fingerprint", "split", "seeds", "samples", "settings", "experiment", "search"
)  # fmt: skip
_EXPERIMENT_KEYS = ("name", "title", "settings", "grid", "configurations")


@dataclass(frozen=True)
class Experiment:
    """A comparison of configurations within a suite.

    Attributes:
        name, title: the name in file names, and the title in texts and figures.
        settings: the settings shared by all trials of the experiment.
        grid: the values of each setting in the grid; all combinations are trained, the last setting varying fastest.
        configurations: settings that are compared as given, each with every combination of the grid.
        seeds: the seeds of the trials; None uses the seeds of the suite.
        from_search: whether the trials come from a search. Its paused trials do not count as missing.
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    grid: Mapping[str, tuple[Any, ...]]
    configurations: tuple[Mapping[str, Any], ...] = ({},)
    seeds: tuple[int, ...] | None = None
    from_search: bool = False

    @property
    def varied(self) -> list[str]:
        """The settings that vary within the experiment, in the order of `SETTINGS`."""
        given = {name for configuration in self.configurations for name in configuration}
        chosen = {name for name in given if len({repr(c.get(name)) for c in self.configurations}) > 1}
        varied = chosen | {name for name, values in self.grid.items() if len(values) > 1}
        return [name for name in SETTINGS if name in varied]

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield the settings of each configuration of the experiment."""
        for configuration in self.configurations:
            for values in product(*self.grid.values()):
                yield {**self.settings, **dict(zip(self.grid, values, strict=True)), **configuration}


@dataclass(frozen=True)
class Suite:
    """A set of experiments, or a search, on one data set.

    Attributes:
        name, title: the name of the run folder, and the title in texts.
        source: the data set.
        split: the name of the split of its rows; see `mlplab.data.split_rows`.
        seeds: number of times that each configuration is trained, with seeds 0, 1, ...
        samples: number of rows shared by training and validation; None uses all.
        settings: the settings shared by all trials.
        experiments: the experiments, in order; empty for a search.
        search: the options of a search, or None. `mlplab.lab.search` converts its results to experiments.
        metric: the metric used to select configurations, a name in `mlplab.metrics.METRICS`.
        fingerprint: the fingerprint of the data, which is part of the identity of every trial. It is stored in the run
            folder, so that results can be read without the data. None until `bind` sets it.
    """

    name: str
    title: str
    source: Source
    split: str
    seeds: int
    samples: int | None
    settings: Mapping[str, Any]
    experiments: tuple[Experiment, ...]
    search: Search | None = None
    metric: str = "accuracy"
    fingerprint: str | None = field(default=None, compare=False)

    @property
    def measure(self) -> Metric:
        """The metric used to select configurations."""
        return find_metric(self.metric)

    def bind(self, fingerprint: str | None = None) -> Suite:
        """Return the suite with the fingerprint of its data set, so that its trials have their final ids.

        Args:
            fingerprint: None uses the fingerprint of the suite or, if it has none, of the source.

        Raises:
            DataError: if the fingerprint has to be computed and the file is missing.
        """
        return replace(self, fingerprint=fingerprint or self.fingerprint or self.source.fingerprint())

    def with_setting(self, name: str, value: Any) -> Suite:
        """Return the suite with one setting fixed for all trials; grids and the search no longer vary it."""
        experiments = tuple(
            replace(
                experiment,
                settings={key: v for key, v in experiment.settings.items() if key != name},
                grid={key: v for key, v in experiment.grid.items() if key != name},
                configurations=tuple(
                    {key: v for key, v in configuration.items() if key != name}
                    for configuration in experiment.configurations
                ),
            )
            for experiment in self.experiments
        )
        search = self.search and self.search.without(name)
        suite = replace(self, settings={**self.settings, name: value}, experiments=experiments, search=search)
        check_values(suite.settings, "--set: ")
        if search:
            check_search(search, suite.settings, "--set: search: ")
        return suite

    def varying(self) -> list[str]:
        """Return the settings that differ between trials, in the order of `SETTINGS`."""
        if self.search:  # the columns do not depend on the number of trials so far
            return [name for name in SETTINGS if name in self.search.space]
        trials = [trial for _, trial in self.cells()]
        given = {name for trial in trials for name in trial.settings}
        values = {name: {repr(normal(name, trial[name])) for trial in trials} for name in given}
        return [name for name in SETTINGS if len(values.get(name, ())) > 1]

    def labels(self, dataset: Dataset) -> dict[str, str]:
        """Return the labels of all trials, by trial id."""
        return self.labels_of([trial for _, trial in self.cells()], dataset)

    def labels_of(self, trials: Iterable[Trial], dataset: Dataset) -> dict[str, str]:
        """Return the labels of some trials of the suite or of its search, by trial id."""
        inputs, outputs = dataset.X.shape[1], len(dataset.classes)
        varying, several = self.varying(), self.seeds > 1 or self.search is not None
        return {t.id: t.label(inputs, outputs, varying) + (f"_seed{t.seed}" if several else "") for t in trials}

    def cells(self) -> list[tuple[Experiment, Trial]]:
        """Return pairs of an experiment and a trial; a trial shared by two experiments appears in both.

        Before `bind`, the settings and seeds of the trials are final, but their ids are not.
        """
        return [
            (
                experiment,
                Trial(
                    settings=lab_settings({**self.settings, **settings}),
                    seed=seed,
                    data=self.fingerprint or "",
                    split=self.split,
                    samples=self.samples,
                ),
            )
            for experiment in self.experiments
            for settings in experiment.cells()
            for seed in experiment.seeds or range(self.seeds)
        ]

    def to_toml(self) -> str:
        """Return the suite as the text of a file for `load_suite`, with the defaults of the suite written out."""
        content: dict[str, Any] = {"name": self.name, "title": self.title, "dataset": self.source.name}
        if self.source.target is not None:
            content["target"] = self.source.target
        if self.fingerprint is not None:
            content["fingerprint"] = self.fingerprint
        content |= {"split": self.split, "seeds": self.seeds}
        if self.samples is not None:
            content["samples"] = self.samples
        content["settings"] = to_plain(self.settings)
        if self.search:
            return tomli_w.dumps({**content, "search": self.search.to_plain()})
        content["experiment"] = [_experiment_to_plain(experiment) for experiment in self.experiments]
        return tomli_w.dumps(content)


def _experiment_to_plain(experiment: Experiment) -> dict[str, Any]:
    content = {"name": experiment.name, "title": experiment.title}
    content |= {name: to_plain(getattr(experiment, name)) for name in ("settings", "grid")}
    if any(experiment.configurations):
        content["configurations"] = to_plain(experiment.configurations)
    return content


def built_in_suites() -> dict[str, Path]:
    """Return the paths of the built-in suites, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}


def load_suite(name: str | Path) -> Suite:
    """Load a built-in suite by its name, or a suite from a TOML file.

    Raises:
        SettingError: for an invalid file; the message names the file, the place and the allowed values.
    """
    built_in = built_in_suites()
    path = built_in.get(str(name), Path(name))
    if not path.is_file():
        hint = nearest(name, built_in) or f"; the built-in suites are {', '.join(built_in)}"
        raise SettingError(f"{name}: no such suite or file{hint}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' Notepad may write a byte order mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: not valid TOML: {error}") from error
    return _read(content, path)


def _read(content: dict[str, Any], path: Path) -> Suite:
    where = f"{path.name}: "
    check_keys(content, _KEYS, where)
    name = read_text(content, "name", where)
    check_name(name, where)
    dataset = read_text(content, "dataset", where)
    target = read_text(content, "target", where) if "target" in content else None
    fingerprint = read_text(content, "fingerprint", where) if "fingerprint" in content else None
    if dataset not in DATASETS:
        file = path.parent / dataset  # paths are relative to the file of the suite
        if not file.exists() and fingerprint is None:  # results in a run folder can be read without the data
            raise SettingError(
                f"{where}dataset {dataset!r} is not a file or a built-in data set{nearest(dataset, DATASETS)}"
            )
        dataset = str(file.resolve())
        beside = path.parent / target if target is not None else None
        target = str(beside.resolve()) if beside is not None and beside.is_file() else target
    split = content.get("split", "official" if dataset == "mnist" else "random")
    if split not in SPLITS:
        raise SettingError(f"{where}split must be {one_of(SPLITS)}; got {split!r}{nearest(split, SPLITS)}")
    settings = read_settings(content.get("settings", {}), f"{where}settings: ")
    search = read_search(content["search"], settings, f"{where}search: ") if "search" in content else None
    experiments = content.get("experiment", [])
    if not isinstance(experiments, list) or bool(experiments) == bool(search):
        raise SettingError(f"{where}either at least one [[experiment]] or a [search] is required, but not both")
    read = tuple(_read_experiment(experiment, where) for experiment in experiments)
    names = [experiment.name for experiment in read]
    for n in names:
        if names.count(n) > 1:
            raise SettingError(f"{where}names of experiments must be distinct; got {n!r} twice")
    return Suite(
        name=name,
        title=read_text(content, "title", where) if "title" in content else name,
        source=Source(dataset, target),
        split=split,
        seeds=check_count("seeds", content.get("seeds", 1), where),
        samples=check_count("samples", content["samples"], where) if "samples" in content else None,
        settings=settings,
        experiments=read,
        search=search,
        fingerprint=fingerprint,
    )


def _read_experiment(content: Any, where: str) -> Experiment:
    if not isinstance(content, dict):
        raise SettingError(f"{where}experiments must be written as [[experiment]], with two brackets")
    check_keys(content, _EXPERIMENT_KEYS, f"{where}experiment {content.get('name', '')!r}: ")
    name = read_text(content, "name", f"{where}experiment: ")
    where = f"{where}experiment {name!r}: "
    check_name(name, where)
    grid = content.get("grid", {})
    if not isinstance(grid, dict):
        raise SettingError(f"{where}grid must be a table of lists, for example grid.max_iter = [10, 20]; got {grid!r}")
    read: dict[str, tuple[Any, ...]] = {}
    for setting, values in grid.items():
        check_setting_name(setting, f"{where}grid: ")
        if not isinstance(values, list) or not values:
            raise SettingError(f"{where}grid: {setting} must be a list of at least one value; got {values!r}")
        read[setting] = tuple(read_settings({setting: value}, f"{where}grid: ")[setting] for value in values)
    settings = read_settings(content.get("settings", {}), f"{where}settings: ")
    configurations = content.get("configurations", [{}])
    if not isinstance(configurations, list) or not configurations:
        raise SettingError(
            f"{where}configurations must be a list of tables, for example [{{dropout = 0.2}}, {{alpha = 0.01}}]; "
            f"got {configurations!r}"
        )
    chosen = tuple(read_settings(configuration, f"{where}configurations: ") for configuration in configurations)
    title = read_text(content, "title", where) if "title" in content else name
    return Experiment(name, title, settings, read, chosen)
