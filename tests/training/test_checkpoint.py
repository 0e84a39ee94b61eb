"""A fit that resumes from its checkpoint after any epoch gives the bits of one that was never interrupted."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_iris

from mlplab import Checkpoint, NeuralNetworkClassifier, NeuralNetworkRegressor
from mlplab.errors import ModelFileError, SettingError
from mlplab.nn.optimizers import OPTIMIZERS, FlatOptimizer
from mlplab.nn.schedules import SCHEDULES
from mlplab.training.callbacks import Callback

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 6))
y = (X @ rng.normal(size=(6, 3)) + 0.5 * rng.normal(size=(90, 3))).argmax(axis=1)


class Killed(Exception):
    pass


class KillAfter(Callback):
    """Ends the fit as a kill would, after the epoch has been written: in the epoch behind it."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_begin(self, estimator, epoch):
        if epoch > self.epochs:
            raise Killed


def make(kind=NeuralNetworkClassifier, **settings):
    settings = {"max_iter": 6, "batch_size": 20, "random_state": 3, "tol": None, "dtype": "float64", **settings}
    return kind((8, 5), **settings)


def assert_same(one, other):
    assert one.arrays().keys() == other.arrays().keys()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name], name)
    drop = [{k: v for k, v in record.items() if k != "seconds"} for record in one.history_.records]
    np.testing.assert_equal(drop, [{k: v for k, v in r.items() if k != "seconds"} for r in other.history_.records])
    assert (one.t_, one.n_iter_) == (other.t_, other.n_iter_)
    np.testing.assert_equal(one.validation_scores_, other.validation_scores_)


def check(path, killed_after=3, data=(X, y), kind=NeuralNetworkClassifier, **settings):
    undisturbed = make(kind, **settings).fit(*data)
    with pytest.raises(Killed):
        make(kind, **settings, callbacks=[KillAfter(killed_after)]).fit(*data, checkpoint=Checkpoint(path, seconds=0))
    resumed = make(kind, **settings).fit(*data, checkpoint=path)
    assert_same(resumed, undisturbed)
    return resumed


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_every_optimizer(tmp_path, solver):
    check(tmp_path / "c", solver=solver, learning_rate_init=0.01)


@pytest.mark.parametrize("warmup", [0.0, 4.5])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule(tmp_path, schedule, warmup):
    check(tmp_path / "c", learning_rate=schedule, warmup_epochs=warmup, learning_rate_step=1, learning_rate_init=0.02)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd", "momentum": 0},
        {"ema_decay": 0.9},
        {"average_epochs": 4},
        {"average_epochs": 4, "normalization": "batch", "hidden_noise": 0.1},
        {"normalization": "batch", "dropout": 0.3, "input_dropout": 0.1},
        {"normalization": "layer", "input_noise": 0.2, "hidden_noise": 0.1},
        {"shuffle": False, "dtype": "float32"},
        {"class_weight": "balanced"},
        {"early_stopping": True, "n_iter_no_change": 1, "ema_decay": 0.5, "max_iter": 40, "learning_rate_init": 0.1},
        {"tol": 1.0, "n_iter_no_change": 2, "learning_rate": "adaptive", "solver": "sgd", "max_iter": 30},
    ],
)
@pytest.mark.parametrize("killed_after", [1, 3])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_every_kind_of_memory(tmp_path, settings, killed_after):
    check(tmp_path / "c", killed_after, **settings)


def test_regressors_and_sparse_rows(tmp_path):
    check(tmp_path / "a", kind=NeuralNetworkRegressor, data=(X, X[:, :2] ** 2))
    check(tmp_path / "b", data=(csr_matrix(X * (X > 0)), y))


def test_killed_again_and_again(tmp_path):
    for epochs in (1, 2, 4):
        with pytest.raises(Killed):
            make(callbacks=[KillAfter(epochs)]).fit(X, y, checkpoint=Checkpoint(tmp_path / "c", seconds=0))
    assert_same(make().fit(X, y, checkpoint=tmp_path / "c"), make().fit(X, y))


def test_a_finished_fit_is_read_and_not_made_again(tmp_path):
    make().fit(X, y, checkpoint=tmp_path / "c")
    again = make(callbacks=[KillAfter(0)]).fit(X, y, checkpoint=tmp_path / "c")
    assert_same(again, make().fit(X, y))


def test_more_epochs_continue_it(tmp_path):
    make(max_iter=2).fit(X, y, checkpoint=tmp_path / "c")
    assert_same(make().fit(X, y, checkpoint=tmp_path / "c"), make().fit(X, y))


def test_more_patience_continues_it(tmp_path):
    settings = {"early_stopping": True, "tol": 0.5, "max_iter": 12}
    short = make(n_iter_no_change=2, **settings).fit(X, y, checkpoint=tmp_path / "c")
    assert short.stopped_early_
    assert short.n_iter_ < 12
    longer = make(n_iter_no_change=5, **settings).fit(X, y, checkpoint=tmp_path / "c")
    assert_same(longer, make(n_iter_no_change=5, **settings).fit(X, y))


def test_without_a_seed_the_first_fit_has_drawn_it(tmp_path):
    settings = {"random_state": None, "early_stopping": True, "dropout": 0.2}
    first = make(max_iter=2, **settings).fit(X, y, checkpoint=tmp_path / "c")
    split = make(**settings).fit(X, y, checkpoint=tmp_path / "c")
    assert split.validation_scores_[:2] == first.validation_scores_
    assert split.n_iter_ == 6


@pytest.mark.parametrize(
    ("settings", "data", "words"),
    [
        ({"batch_size": 10}, (X, y), "batch_size was 20 and is '10'"),
        ({}, (X + 1, y), "other data"),
        ({}, (X, np.roll(y, 1)), "other data"),
        ({"random_state": 4}, (X, y), "seed was 3 and is 4"),
    ],
)
def test_another_fits_checkpoint_is_refused_and_kept(tmp_path, settings, data, words):
    make().fit(X, y, checkpoint=tmp_path / "c")
    content = (tmp_path / "c").read_bytes()
    with pytest.raises(ModelFileError, match="the checkpoint of another fit") as error:
        make(**settings).fit(*data, checkpoint=tmp_path / "c")
    assert words.replace("'", "") in str(error.value).replace("'", "")
    assert (tmp_path / "c").read_bytes() == content


def test_a_planned_schedule_cannot_grow(tmp_path):
    make(learning_rate="cosine").fit(X, y, checkpoint=tmp_path / "c")
    with pytest.raises(ModelFileError, match="max_iter"):
        make(learning_rate="cosine", max_iter=7).fit(X, y, checkpoint=tmp_path / "c")


def test_damage_is_detected(tmp_path):
    make().fit(X, y, checkpoint=tmp_path / "c")
    content = bytearray((tmp_path / "c").read_bytes())
    content[-3] ^= 1
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        make().fit(X, y, checkpoint=tmp_path / "c")


def test_what_cannot_be_continued_is_refused(tmp_path):
    with pytest.raises(SettingError, match="lbfgs"):
        make(solver="lbfgs").fit(X, y, checkpoint=tmp_path / "c")

    class Plain:
        decoupled = False

        def __init__(self, network, settings):
            self._inner = OPTIMIZERS["adam"](network, settings)

        def __getattr__(self, name):
            if name == "state_attributes":
                raise AttributeError(name)
            return getattr(self._inner, name)

    with pytest.raises(SettingError, match="your own Plain cannot be resumed: it has no `state_attributes`"):
        make(solver=Plain).fit(X, y, checkpoint=tmp_path / "c")


def test_your_own_optimizer(tmp_path):
    class SignMomentum(FlatOptimizer):
        def __init__(self, network, settings):
            super().__init__(network, 1, settings)

        def update(self, rate, theta, g, *states):
            (v,) = states
            v *= 0.9
            v += g
            theta -= rate * self.xp.sign(v)

    check(tmp_path / "c", solver=SignMomentum, learning_rate_init=0.003)


def test_partial_fit_until_it_stops_early_is_fit():
    settings = {"early_stopping": True, "n_iter_no_change": 2, "tol": 1e-4, "max_iter": 60, "learning_rate_init": 0.05}
    whole = make(**settings).fit(X[:70], y[:70], X_val=X[70:], y_val=y[70:])
    steps = make(**settings)
    while not getattr(steps, "stopped_early_", False):
        steps.partial_fit(X[:70], y[:70], classes=[0, 1, 2], X_val=X[70:], y_val=y[70:])
    assert len(steps.history_) == whole.n_iter_ < 60
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(array, steps.arrays()[name])


def test_a_killed_process_resumes(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from mlplab import Callback, Checkpoint, NeuralNetworkClassifier\n"
        "from sklearn.datasets import load_iris\n"
        "X, y = load_iris(return_X_y=True)\n"
        "class Kill(Callback):\n"
        "    def on_batch_end(self, estimator, loss):\n"
        "        if len(estimator.history_) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "model = NeuralNetworkClassifier(8, max_iter=7, tol=None, random_state=1, callbacks=[Kill()])\n"
        "model.fit(X, y, checkpoint=Checkpoint(sys.argv[1], seconds=0))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, tmp_path / "c"], check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    iris, kinds = load_iris(return_X_y=True)
    model = NeuralNetworkClassifier(8, max_iter=7, tol=None, random_state=1)
    whole = clone(model).fit(iris, kinds)
    assert_same(model.fit(iris, kinds, checkpoint=tmp_path / "c"), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
