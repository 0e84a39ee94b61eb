"""Who takes part."""

from dataclasses import replace
from importlib.util import find_spec

from benchmarks.contenders import COMPILED, CONTENDERS, NOTEBOOK, OURS


def test_every_contender_has_its_module_and_a_name_of_its_own():
    assert all(find_spec(contender.module) for contender in CONTENDERS)
    assert len({contender.name for contender in CONTENDERS}) == len(CONTENDERS)


def test_what_is_not_installed_is_named():
    assert NOTEBOOK.missing() is None
    assert replace(OURS, packages=("numpy", "no_such_package")).missing() == "no_such_package is not installed"


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert replace(COMPILED, packages=()).missing() == "there is no C++ compiler"
    assert replace(COMPILED, packages=(), compiler=False).missing() is None
