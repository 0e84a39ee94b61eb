"""Content of a TOML file, read piece by piece, each checked, with an error that says where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from mlplab.errors import SettingError, nearest
from mlplab.training.settings import check_setting_name, check_settings, is_integer

#: File systems take 255 bytes, and more is put around it.
_LONGEST_NAME = 80
#: Settings that the lab gives itself.
_LAB_OWN = {
    "random_state": "seeds are the suite's `seeds`",
    "callbacks": "it watches the trials itself",
    "verbose": "it shows its own progress",
    "validation_fraction": "the suite's `split` sets the validation rows aside",
}


def read_settings(content: Any, where: str) -> dict[str, Any]:
    """Return a table of settings, each checked."""
    if not isinstance(content, dict):
        raise SettingError(f"{where}must be a table of settings; got {content!r}")
    settings = {name: from_plain(value) for name, value in content.items()}
    check_values(settings, where)
    return settings


def check_values(settings: Mapping[str, Any], where: str) -> None:
    """Raise SettingError for a value that is not allowed, or a setting that is not a suite's to give."""
    for name in settings:
        if name in _LAB_OWN:
            raise SettingError(f"{where}{name} is no setting of a suite: {_LAB_OWN[name]}")
    check_settings(settings, where)


def check_count(name: str, value: Any, where: str = "") -> int:
    """Return `value`, or raise SettingError unless it is a whole number of at least 1."""
    if not is_integer(value) or value < 1:
        raise SettingError(f"{where}{name} must be a whole number of at least 1; got {value!r}")
    return int(value)


def check_keys(content: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise SettingError for a key that is not among the known ones."""
    for key in content:
        if key not in known:
            raise SettingError(f"{where}unknown key {key!r}{nearest(key, known)}")


def check_name(name: str, where: str) -> None:
    """Raise SettingError for a name that could not be part of a file's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise SettingError(
            f"{where}a name is made of letters, digits, '-', '_' and '.', for it names files; got {name!r}"
        )
    if len(name) > _LONGEST_NAME:
        raise SettingError(f"{where}a name has at most {_LONGEST_NAME} characters, for it names files; got {len(name)}")


def read_text(content: Mapping[str, Any], key: str, where: str) -> str:
    """Return the text under a key, which may not be empty."""
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise SettingError(f"{where}{key} must be a text; got {value!r}")
    return value


def parse_assignment(text: str, option: str = "--set", example: str = "max_iter=2") -> tuple[str, Any]:
    """Read ``KEY=VALUE`` of the command line: the value as TOML has it, or else as a text; with commas, a list.

    Raises:
        SettingError: for a text without ``=`` or an unknown setting.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingError(f"{option} {text}: write KEY=VALUE, such as {option} {example}")
    name = name.strip()
    check_setting_name(name, f"{option}: ")
    return name, from_plain(parse_value(value))


def parse_value(text: str) -> Any:
    """Return a text as TOML has it, or else as it is; with commas, as a list."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [parse_value(part) for part in text.split(",")] if "," in text and "[" not in text else text.strip()


# TOML has no null: the text "none" stands for None, both ways, and True and False are welcome too; "inf" is how a
# trial.json has infinity.
_WORDS = {"none": None, "None": None, "True": True, "False": False, "inf": inf}


def from_plain(value: Any) -> Any:
    """Return a setting's value for what a TOML file says: tuples for lists, None for "none"."""
    if isinstance(value, str):
        return _WORDS.get(value, value)
    return tuple(value) if isinstance(value, list) else value


def to_plain(value: Any) -> Any:
    """Return what a TOML file says for a setting's value, or for a table of them."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return {name: to_plain(v) for name, v in value.items()}
    return [to_plain(v) for v in value] if isinstance(value, tuple) else value
