"""A process that does what it is asked."""

import os
import time

import pytest

from benchmarks.child import Child, ChildError


def test_it_computes_elsewhere_again_and_again():
    with Child(threads=1) as child:
        there = child.call(os.getpid)
        assert there != os.getpid()
        assert child.call(os.getpid) == there
        assert child.call(pow, 2, 10) == 1024


def test_it_has_its_own_number_of_threads():
    before = dict(os.environ)
    with Child(threads=3) as child:
        assert child.call(os.getenv, "OPENBLAS_NUM_THREADS") == "3"
    assert dict(os.environ) == before


def test_two_work_at_once():
    with Child(threads=1) as one, Child(threads=1) as other:
        one.call(os.getpid), other.call(os.getpid)  # both are there
        one.send(time.sleep, 0.01)
        other.send(pow, 3, 3)
        assert (other.receive(), one.receive()) == (27, None)


def test_an_error_is_reported_in_one_line_and_does_not_end_it():
    with Child(threads=1) as child:
        with pytest.raises(ChildError, match=r"^ValueError: invalid literal for int\(\) with base 10: 'x'$"):
            child.call(int, "x")
        assert child.call(int, "7") == 7


def test_a_crash_is_reported_with_its_exit_status():
    with Child(threads=1) as child, pytest.raises(ChildError, match="status 3"):
        child.call(os._exit, 3)
