"""Every exception that mlplab raises on purpose.

MlplabError
├── DataError        (also ValueError)   data that cannot be used: a file, a column, a shape, a value
├── SettingError     (also ValueError)   a setting, a suite or an option that is wrong
├── ModelFileError   (also ValueError)   a model file that is damaged or of another kind
├── RunFolderError                       a run folder that cannot be used
├── DivergenceError  (also ValueError)   training whose loss stopped being finite
└── MissingExtraError (also ImportError) an optional dependency that is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MlplabError(Exception):
    """Base of all errors whose message is meant for the user, in one line."""


class DataError(MlplabError, ValueError):
    """Data that cannot be used."""


class SettingError(MlplabError, ValueError):
    """A setting, a suite or an option that is wrong."""


class ModelFileError(MlplabError, ValueError):
    """A model file that is damaged, truncated or of another kind."""


class RunFolderError(MlplabError):
    """A run folder that cannot be read or is in use."""


class DivergenceError(MlplabError, ValueError):
    """Training whose loss stopped being a finite number."""


class MissingExtraError(MlplabError, ImportError):
    """An optional dependency that is not installed."""


def one_of(names: Iterable[str]) -> str:
    """Return ``'a', 'b' or 'c'`` for use in a message."""
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" or {quoted[-1]}"


def shorten(value: object) -> str:
    """Return the `repr` of a value in one line and not too long, for use in a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``" (did you mean 'relu'?)"`` where a known name is close to `name`, else nothing."""
    found = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
