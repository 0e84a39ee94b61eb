"""Frozen facts as plain data for JSON, and back.

A field's key is its name, or what its metadata say: ``field(metadata={"key": "val_{metric}"})``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(fact: Any, metric: str) -> Any:
    """Return a dataclass, and all that it holds, as dicts, lists and scalars."""
    if is_dataclass(fact):
        return {_key(one, metric): to_plain(getattr(fact, one.name), metric) for one in fields(fact)}
    return [to_plain(item, metric) for item in fact] if isinstance(fact, tuple) else fact


def from_plain(kind: type[T], content: Any, metric: str) -> T:
    """Return a dataclass from what `to_plain` made of it; keys that it does not know are left out.

    Raises:
        ValueError, TypeError, KeyError: for content that does not fit.
    """
    hints = get_type_hints(kind)
    known: Any = fields(kind)  # type: ignore[arg-type]
    values = {}
    for one in known:
        key = _key(one, metric)
        if key in content or one.default is MISSING:
            values[one.name] = _value(hints[one.name], content[key], metric)
    return kind(**values)


def _key(one: Field[Any], metric: str) -> str:
    key: str = one.metadata.get("key", one.name)
    return key.format(metric=metric)


def _value(kind: Any, content: Any, metric: str) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):  # a kind or None
        return None if content is None else _value(arguments[0], content, metric)
    if get_origin(kind) is tuple:
        if not isinstance(content, list | tuple):
            raise TypeError(f"expected a list; got {content!r}")
        kinds = [arguments[0]] * len(content) if arguments[-1] is ... else arguments
        return tuple(_value(k, item, metric) for k, item in zip(kinds, content, strict=True))
    if is_dataclass(kind):
        if not isinstance(content, Mapping):
            raise TypeError(f"expected a table; got {content!r}")
        return from_plain(kind, content, metric)  # type: ignore[arg-type]
    if kind is float and isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    if not isinstance(content, kind):
        raise TypeError(f"expected {kind.__name__}; got {content!r}")
    return content
