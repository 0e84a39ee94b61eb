import json

import numpy as np
import pytest

from mlplab.cli import run
from mlplab.doctor import Rates, advise, examine, measure_rates
from mlplab.engine.blas import Blas, load_blas
from mlplab.engine.cpu import AVX512, Cpu

AVX2, WIDE = Cpu("old", frozenset({"avx2"})), Cpu("new", AVX512)
GOOD = Rates(one_thread=100.0, all_threads=190.0, training=85.0)


def library(source="scipy-openblas32", kernel="SkylakeX"):
    return Blas(source, "OpenBLAS 1", kernel, mended=False, threads=lambda: 2, gemm={})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"cpu": AVX2, "blas": library(kernel="Haswell")}, []),
        ({"blas": library("scipy", "")}, ["pip install scipy-openblas32"]),
        ({"blas": library(kernel="Haswell")}, ["Haswell kernel", "OPENBLAS_CORETYPE=SkylakeX", "upgrade"]),
        ({"blas": library(kernel="Haswell"), "asked": "Haswell"}, ["OPENBLAS_CORETYPE=Haswell", "unset"]),
        ({"threads": 1}, ["1 of 2 cores", "OPENBLAS_NUM_THREADS"]),
        ({"load": 1.7}, ["kept 1.7 of 2 cores busy"]),
        ({"rates": Rates(100.0, 110.0, 85.0)}, ["2 threads are only 1.1 times"]),
        ({"rates": Rates(100.0, 110.0, 85.0), "load": 1.7}, ["kept 1.7"]),  # the load explains the threads
        ({"load": float("nan")}, []),
        ({"load": 1.7, "cores": 64, "threads": 64, "rates": Rates(100.0, 6000.0, 85.0)}, []),
        ({"rates": Rates(100.0, 190.0, 40.0)}, ["40% of the peak speed", "Larger batches"]),
    ],
)
def test_the_advice_names_what_stands_in_the_way_and_the_way_out(changed, words):
    usual = {"cpu": WIDE, "cores": 2, "load": 0.1, "blas": library(), "threads": 2, "rates": GOOD, "asked": None}
    advice = advise(**usual | changed)
    assert len(advice) == (1 if words else 0)
    assert all(word in advice[0] for word in words)


def test_rates_are_those_of_products_in_gflop_a_second():
    rates = measure_rates()
    assert 0 < rates.training < 10_000  # in other units it would be millions
    assert 0.1 < rates.one_thread < 10_000
    assert np.isfinite(rates.all_threads)


def test_what_is_found_is_what_computes_here():
    found = examine()
    assert found.blas is load_blas()
    assert found.threads == found.blas.threads()
    assert any("openblas" in pool.name for pool in found.others)  # NumPy's
    assert not any("scipy_openblas32" in pool.name for pool in found.others)


def test_doctor_prints_a_report_and_json(capsys):
    assert run(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert load_blas().version in printed
    assert "GFLOP/s" in printed
    assert run(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["blas"]["source"] == load_blas().source
    assert facts["rates"]["one_thread"] > 0
