"""Public names of a package, imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    The stub beside its `__init__.py` lists the names, one per line: ``from module import name as name``.

    Args:
        package, file: the package's `__name__` and `__file__`.
    """
    with open(f"{file.removesuffix('.py')}.pyi", encoding="utf-8") as stub:  # noqa: PTH123 - pathlib takes 5 ms to import
        lines = [line.split() for line in stub if line.startswith("from ")]
    modules = {words[3]: words[1] for words in lines}

    def get(name: str) -> Any:
        if name in modules:
            return getattr(import_module(modules[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(modules), sorted(modules)
