"""Content of a TOML file, read piece by piece, each checked, with an error that says where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlplab.errors import SettingError, nearest
from mlplab.training.settings import check_settings, from_plain

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
