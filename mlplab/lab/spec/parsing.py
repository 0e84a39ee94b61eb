"""Parsing and validation of the content of TOML files, with errors that name the place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlplab.errors import SettingError, nearest
from mlplab.training.settings import check_settings, from_plain

#: File names have at most 255 bytes on most file systems, and the lab adds to the names.
_LONGEST_NAME = 80
#: Settings that the lab sets itself, with what to use instead.
_SET_BY_LAB = {
    "random_state": "use `seeds`",
    "callbacks": "the lab uses its own callbacks",
    "verbose": "the lab shows its own progress",
    "validation_fraction": "`split` selects the validation rows",
}


def read_settings(content: Any, where: str) -> dict[str, Any]:
    """Read a table of settings and check their values.

    Raises:
        SettingError: for an unknown setting or a value that is not allowed; `where` precedes the message.
    """
    if not isinstance(content, dict):
        raise SettingError(f"{where}must be a table of settings; got {content!r}")
    settings = {name: from_plain(value) for name, value in content.items()}
    check_values(settings, where)
    return settings


def check_values(settings: Mapping[str, Any], where: str) -> None:
    """Raise SettingError for a value that is not allowed, or a setting that a suite cannot set."""
    for name in settings:
        if name in _SET_BY_LAB:
            raise SettingError(f"{where}{name} cannot be set in a suite: {_SET_BY_LAB[name]}")
    check_settings(settings, where)


def check_keys(content: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise SettingError for an unknown key."""
    for key in content:
        if key not in known:
            raise SettingError(f"{where}unknown key {key!r}{nearest(key, known)}")


def check_name(name: str, where: str) -> None:
    """Raise SettingError for a name that cannot be part of a file name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise SettingError(
            f"{where}names may contain only letters, digits, '-', '_' and '.' and must start with a letter or digit, "
            f"because they become file names; got {name!r}"
        )
    if len(name) > _LONGEST_NAME:
        raise SettingError(
            f"{where}names may have at most {_LONGEST_NAME} characters, because they become file names; got {len(name)}"
        )


def read_text(content: Mapping[str, Any], key: str, where: str) -> str:
    """Return the non-empty string stored under a key.

    Raises:
        SettingError: for a missing key, an empty string or a value of another type.
    """
    value = content.get(key)
    if value is None:
        raise SettingError(f"{where}{key} is missing")
    if not isinstance(value, str) or not value:
        raise SettingError(f"{where}{key} must be a non-empty string; got {value!r}")
    return value
