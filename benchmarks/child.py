"""A process of its own that does what it is asked, one thing at a time, and sleeps in between.

Two libraries in one process disturb each other: the idle threads of the one spin while the other computes.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")
_CONTEXT = multiprocessing.get_context("spawn")  # a forked process would inherit the parent's libraries and threads
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class ChildError(Exception):
    """What was asked raised an error, told in one line here and in full on standard error, or the process died."""


class Child:
    """A process whose libraries use `threads` threads; use it in a ``with`` block."""

    def __init__(self, threads: int) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs,), daemon=True)
        with _environment(dict.fromkeys(_THREAD_VARIABLES, str(threads))):
            self._process.start()
        theirs.close()  # ours is a copy: while it is open, the death of the process would not end `receive`

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(5)  # some libraries take a moment to end their threads
        self._process.kill()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return ``function(*arguments)`` as computed in the process.

        Raises:
            ChildError: the function raised, or the process died.
        """
        self.send(function, *arguments)
        return self.receive()

    def send(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin ``function(*arguments)`` without waiting for it."""
        self._pipe.send((function, arguments))

    def receive(self) -> Any:
        """Wait for what was begun, and return it; raises as `call` does."""
        try:
            value, error = self._pipe.recv()
        except EOFError as ended:
            self._process.join()
            raise ChildError(f"the process ended with status {self._process.exitcode}") from ended
        if error is not None:
            raise ChildError(error)
        return value


def _serve(pipe: Connection) -> None:
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):  # the parent is done, or was told to stop
            return
        try:
            answer = (function(*arguments), None)
        except Exception as error:
            traceback.print_exc()
            answer = (None, f"{type(error).__name__}: {error}".splitlines()[0])
        pipe.send(answer)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started meanwhile: libraries read them when they are loaded."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
