"""Conversion of dataclasses to plain data for JSON, and back.

The key of a field is its name, or the key in its metadata: ``field(metadata={"key": "val_{metric}"})``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: Any, metric: str) -> Any:
    """Return a dataclass and its content as dicts, lists and scalars."""
    if is_dataclass(value):
        return {_key(field, metric): to_plain(getattr(value, field.name), metric) for field in fields(value)}
    return [to_plain(item, metric) for item in value] if isinstance(value, tuple) else value


def from_plain(kind: type[T], content: Any, metric: str) -> T:
    """Return a dataclass from the output of `to_plain`; unknown keys are ignored.

    Raises:
        ValueError, TypeError, KeyError: if the content does not match the fields.
    """
    hints = get_type_hints(kind)
    known: Any = fields(kind)  # type: ignore[arg-type]
    values = {}
    for field in known:
        key = _key(field, metric)
        if key in content or field.default is MISSING:
            values[field.name] = _value(hints[field.name], content[key], metric)
    return kind(**values)


def _key(field: Field[Any], metric: str) -> str:
    key: str = field.metadata.get("key", field.name)
    return key.format(metric=metric)


def _value(kind: Any, content: Any, metric: str) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):  # an optional field
        return None if content is None else _value(arguments[0], content, metric)
    if get_origin(kind) is tuple:
        if not isinstance(content, list | tuple):
            raise TypeError(f"expected a list; got {content!r}")
        kinds = [arguments[0]] * len(content) if arguments[-1] is ... else arguments
        return tuple(_value(k, item, metric) for k, item in zip(kinds, content, strict=True))
    if is_dataclass(kind):
        if not isinstance(content, Mapping):
            raise TypeError(f"expected a mapping; got {content!r}")
        return from_plain(kind, content, metric)  # type: ignore[arg-type]
    if kind is float and isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    if not isinstance(content, kind):
        raise TypeError(f"expected {kind.__name__}; got {content!r}")
    return content
