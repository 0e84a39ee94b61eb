"""Data that stays on disk: the same results as from memory, bit for bit, and no copy of it at any moment."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab import NeuralNetworkClassifier, load_dataset
from mlplab.lab.execution.process_worker import save_data

LINUX = Path("/proc/self/status").exists()
TYPES = ("uint8", "bool", "int16", "int64", "float16", "float32", "float64", ">f4")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Write an array to an .npy file; return its memory map."""
    folder = tmp_path_factory.mktemp("stored")

    def store(X, name="X.npy"):
        np.save(folder / name, X)
        return np.load(folder / name, mmap_mode="r")

    return store


def data(dtype, rows=60):
    rng = np.random.default_rng(3)
    y = np.arange(rows) % 3
    X = rng.normal(size=(3, 5))[y] * 40 + rng.normal(size=(rows, 5)) + 100
    return X.astype(dtype), np.array(["a", "b", "c"])[y]


def assert_same(one, other, X):
    for a, b in zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True):
        np.testing.assert_array_equal(a, b)
    for column in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_array_equal(one.history_[column], other.history_[column])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@given(
    st.sampled_from(TYPES),
    st.sampled_from([None, "float32", "float64"]),
    st.sampled_from([1.0, 1 / 255]),
    st.sampled_from(["C", "F"]),
    st.booleans(),
)
def test_a_memory_map_gives_what_the_array_in_memory_gives(stored, dtype, computed_in, scale, order, early_stopping):
    X, y = data(dtype)
    settings = {"dtype": computed_in, "input_scale": scale, "early_stopping": early_stopping}
    models = [
        NeuralNetworkClassifier((4,), max_iter=3, batch_size=16, tol=None, random_state=0, **settings).fit(rows, y)
        for rows in (X, stored(np.asarray(X, order=order)))
    ]
    assert_same(*models, X)
    np.testing.assert_array_equal(models[0].predict(X), models[1].predict(stored(X)))


@given(st.sampled_from(TYPES), st.integers(0, 99))
def test_rows_by_their_numbers_give_what_a_copy_of_them_gives(stored, dtype, seed):
    X, y = data(dtype)
    order = np.random.default_rng(seed).permutation(60)
    training, validation = order[:40], order[40:55]
    settings = {"hidden_layer_sizes": (4,), "max_iter": 3, "batch_size": 16, "tol": None, "random_state": 0}
    copied = NeuralNetworkClassifier(**settings)
    copied.fit(X[training], y[training], X_val=X[validation], y_val=y[validation])
    picked = NeuralNetworkClassifier(**settings).fit_rows(stored(X), y, training, validation)
    assert_same(copied, picked, X)
    np.testing.assert_array_equal(picked.predict_rows(X, validation), copied.predict(X[validation]))
    np.testing.assert_array_equal(picked.predict_proba_rows(X, validation), copied.predict_proba(X[validation]))


def test_only_a_map_of_a_whole_file_is_not_copied_for_workers(stored, tmp_path):
    X, y = data("float32")
    stored(X)
    stored(y, "y.npy")
    dataset = load_dataset(stored(X).filename)
    assert Path(save_data(dataset, tmp_path)["X"]) == Path(dataset.X.filename)
    assert {file.name for file in tmp_path.iterdir()} == {"y.npy"}
    for other in (X, dataset.X[10:], np.array(dataset.X)):
        file = save_data(type(dataset)("ours", other, y[: len(other)]), tmp_path)["X"]
        assert Path(file).parent == tmp_path
        np.testing.assert_array_equal(np.load(file), other)


# 400 MB on paper: all but a few rows are holes in the file. More than 120 MB of memory beside what the imports
# took is refused, so that neither a copy of the rows nor of the training rows alone, in float32, can be made.
SCRIPT = """
import resource, sys, warnings
from pathlib import Path
import numpy as np
from mlplab import NeuralNetworkClassifier, load_dataset, load_suite, run_suite
from mlplab.data import hold_out
import sklearn.model_selection, scipy.stats

NeuralNetworkClassifier((4,), max_iter=1, tol=None).fit(np.eye(1000), np.arange(1000) % 2)  # the libraries' buffers
held = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + 120 * 2**20,) * 2)
try:
    np.ones(50 * 2**20)
    sys.exit("the limit does not hold")
except MemoryError:
    pass

folder = Path(sys.argv[1])
dataset = load_dataset(folder / "X.npy")
model = NeuralNetworkClassifier((4,), max_iter=1, tol=None, batch_size=1000, early_stopping=True, dtype="float32")
model.fit(dataset.X, dataset.y).predict(dataset.X)
training, validation = hold_out(dataset, 0.1)
model.fit_rows(dataset.X, dataset.y, training, validation).predict_rows(dataset.X, training)
print(run_suite(load_suite(folder / "suite.toml"), folder / "run", jobs=1).rows[0].status)
"""


@pytest.mark.skipif(not LINUX, reason="limits memory by RLIMIT_DATA")
def test_neither_the_classifier_nor_the_lab_copies_the_rows(tmp_path):
    rows = 50_000
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype="float64", shape=(rows, 1000))
    X[::1000] = np.random.default_rng(0).normal(size=1000)
    del X
    np.save(tmp_path / "y.npy", np.arange(rows) % 3)
    (tmp_path / "suite.toml").write_text(
        'name = "big"\ndataset = "X.npy"\n[settings]\nhidden_layer_sizes = [4]\nmax_iter = 1\nbatch_size = 1000\n'
        'dtype = "float32"\n[[experiment]]\nname = "one"\n'
    )
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    held = list(tmp_path.glob("run/trials/*/trial.json"))
    assert process.stdout.strip() == "done", process.stderr + "".join(
        json.loads(h.read_text())["error"] or "" for h in held
    )
