"""A warning points at the line of the program that called mlplab, however deep it was issued."""

import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlplab import Callback, NeuralNetworkClassifier
from mlplab.utils.warn import warn

X = np.random.default_rng(0).normal(size=(40, 3))
y = np.arange(40) % 2


class Interrupt(Callback):
    def on_epoch_end(self, estimator, epoch):
        raise KeyboardInterrupt


def small(**settings):
    return NeuralNetworkClassifier(3, max_iter=2, random_state=0, **settings)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("mine", lambda: warn("mine")),
        ("Maximum iterations", lambda: small().fit(X, y)),
        ("Maximum iterations", lambda: make_pipeline(StandardScaler(), small()).fit(X, y)),
        ("lbfgs failed to converge", lambda: small(solver="lbfgs").fit(X, y)),
        ("is reduced to", lambda: small(batch_size=50, tol=None).fit(X, y)),
        ("is reduced to", lambda: small(batch_size=50).partial_fit(X, y, classes=[0, 1])),
        ("interrupted", lambda: small(callbacks=[Interrupt()]).fit(X, y)),
        (
            "before average_epochs",
            lambda: small(tol=9.0, n_iter_no_change=1, average_epochs=1).set_params(max_iter=9).fit(X, y),
        ),
    ],
)
def test_it_points_at_the_caller(words, call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    (found,) = [warning for warning in caught if words in str(warning.message)]
    assert (found.filename, found.lineno) == (__file__, call.__code__.co_firstlineno)
