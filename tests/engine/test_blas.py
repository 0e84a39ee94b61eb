import os
import subprocess
import sys

import numpy as np
import pytest

from mlplab.engine import blas
from mlplab.engine.blas import kernel_to_ask_for, load_blas, load_openblas, load_scipy
from mlplab.engine.cpu import AVX512, Cpu, read_cpu
from mlplab.engine.numpy_engine import NumpyEngine

NEW, OLD = Cpu("new", AVX512 | {"avx2"}), Cpu("old", frozenset({"avx2", "avx512f"}))


@pytest.mark.parametrize("load", [load_openblas, load_scipy])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_source_computes_products(load, dtype, monkeypatch):
    monkeypatch.setattr("mlplab.engine.numpy_engine.load_blas", load)
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(1, 3, 4)).astype(dtype), rng.normal(size=(1, 5, 4)).astype(dtype)
    out = np.ones((1, 3, 5), dtype)
    engine = NumpyEngine(dtype)
    engine.matmul(A, B, out, transpose_b=True, alpha=2.0, beta=0.5)
    np.testing.assert_allclose(out, 2 * A @ B.swapaxes(1, 2) + 0.5, rtol=1e-5)
    assert engine._threads() >= 1


def test_scipys_library_serves_where_there_is_no_other(monkeypatch):
    monkeypatch.setattr(blas, "find_spec", lambda name: None)
    load_blas.cache_clear()
    try:
        assert load_blas().source == "scipy"
    finally:
        load_blas.cache_clear()


@pytest.mark.parametrize(
    ("chosen", "cpu", "asked", "expected"),
    [
        ("Haswell", NEW, None, "SkylakeX"),
        ("Zen", NEW, None, "SkylakeX"),
        ("Haswell", NEW, "Haswell", None),  # the user's own choice
        ("Haswell", OLD, None, None),  # it would crash
        ("Haswell", Cpu("unknown", frozenset()), None, None),
        ("SkylakeX", NEW, None, None),
        ("Sapphirerapids", NEW, None, None),
        ("ARMV8", OLD, None, None),
    ],
)
def test_a_kernel_is_requested_only_if_the_library_chose_badly(chosen, cpu, asked, expected):
    assert kernel_to_ask_for(chosen, cpu, asked) == expected


@pytest.mark.skipif(not read_cpu().has_avx512, reason="this processor has no AVX-512")
def test_a_badly_chosen_kernel_is_replaced_by_the_right_one():
    # OPENBLAS_CORETYPE stands in for a library that does not know this processor; hidden from us, it is not the user's
    script = """
import os
import numpy as np
from mlplab.engine import blas
from mlplab.engine.numpy_engine import NumpyEngine

right = blas.kernel_to_ask_for
def forget_the_user(chosen, cpu, asked):
    assert (chosen, asked) == ("Haswell", "Haswell"), (chosen, asked)
    del os.environ["OPENBLAS_CORETYPE"]
    return right(chosen, cpu, None)

blas.kernel_to_ask_for = forget_the_user
library = blas.load_blas()
assert (library.kernel, library.mended) == ("SkylakeX", True), library
assert "OPENBLAS_CORETYPE" not in os.environ
A = np.random.default_rng(0).normal(size=(1, 300, 300)).astype("f")
out = np.empty_like(A)
NumpyEngine().matmul(A, A, out)
np.testing.assert_allclose(out, A @ A, atol=1e-3)
"""
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_import_and_training_change_no_setting_of_the_process():
    script = """
import os
import numpy as np
from threadpoolctl import threadpool_info
def others():
    return [(p["filepath"], p["num_threads"]) for p in threadpool_info() if "scipy_openblas32" not in p["filepath"]]
import sklearn.base
before, libraries, errors = dict(os.environ), others(), np.geterr()
import mlplab
mlplab.NeuralNetworkClassifier((3,), max_iter=1, tol=None).fit(np.eye(4), [0, 1, 0, 1])
assert dict(os.environ) == before
assert libraries and set(libraries) <= set(others())
assert np.geterr() == errors
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
