"""Benchmarks run once in a while: that they still find what they use is seen here."""

from importlib import import_module
from pathlib import Path

import pytest

import benchmarks

MODULES = sorted(path.stem for path in Path(benchmarks.__file__).parent.glob("[!_]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_every_benchmark_can_be_imported(name):
    assert import_module(f"benchmarks.{name}").__doc__
