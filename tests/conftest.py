"""What all tests share: small data, a small classifier, and how an error is to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest

# Both before NumPy and SciPy are imported, which is why fixtures import what they need.
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn leaves its array API check out
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small, and test processes share the cores
os.environ["MPLBACKEND"] = "agg"  # no windows

hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def refuses() -> Callable[..., Any]:
    """Expect an error whose message is one line and holds every given fragment."""

    @contextmanager
    def expect(kind: type[Exception], *fragments: object) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        message = str(caught.value)
        assert message
        assert "\n" not in message
        for fragment in fragments:
            assert str(fragment) in message

    return expect


@pytest.fixture(autouse=True)
def close_figures():
    """Close the figures that a test opened: pyplot warns of more than 20."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def mnist():
    from mlplab.data import load_dataset

    return load_dataset("mnist")


def _blobs(classes):
    import numpy as np

    rng = np.random.default_rng(7)
    y = np.arange(90) % classes
    X = rng.normal(size=(classes, 4))[y] * 1.5 + rng.normal(size=(90, 4))
    return X, y


@pytest.fixture(scope="session")
def three_classes():
    """90 rows of 4 features in 3 overlapping classes."""
    return _blobs(3)


@pytest.fixture(scope="session")
def two_classes():
    return _blobs(2)


@pytest.fixture(scope="session")
def classifier():
    """Make a small, quick classifier with the given settings."""
    from mlplab import NeuralNetworkClassifier

    small = {"hidden_layer_sizes": (6,), "max_iter": 4, "batch_size": 30, "tol": None, "random_state": 0}
    return lambda **settings: NeuralNetworkClassifier(**{**small, **settings})


# fixtures of the lab, the reports and the commands
from tests.small_suite import finished, suite, suite_file  # noqa: E402, F401
