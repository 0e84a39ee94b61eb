"""Verdicts from figures, the file of a result and its page."""

from dataclasses import replace

import pytest

from benchmarks.cases import FLAGSHIP, PREDICTED, STEP_CASES
from benchmarks.machine import describe, slug
from benchmarks.render import render
from benchmarks.results import OneCore, Predictions, Results, Steps, Study, best_rates, ratio, share
from benchmarks.targets import pair_share, scaling, targets


@pytest.fixture
def results():
    """Two rounds in which mlplab takes 2 ms a step, JAX 3, PyTorch 8 and, compiled, 6; 1,000 GFLOP/s at best."""
    milliseconds = {"mlplab": [2.0, 4.0], "JAX": [3.0, 6.0], "PyTorch": [8.0, 16.0], "torch.compile": [6.0, 12.0]}
    gemm = {"mlplab": [900.0, 1000.0], "PyTorch": [1000.0, 400.0]}
    return Results(
        machine={
            "cpu": "A CPU (R)",
            "vector_flags": ["avx2"],
            "cores": 2,
            "load": 0.0,
            "memory_gb": 8.0,
            "system": "Linux",
            "python": "3.11",
            "blas": {"source": "scipy", "version": "1", "kernel": "", "mended": False},
            "packages": {"numpy": "2"},
            "date": "2026-01-01 00:00 UTC",
        },
        libraries={},
        rounds=2,
        quick=True,
        left_out={"scikit-learn": "sklearn is not installed"},
        steps=[Steps(case, milliseconds, gemm) for case in STEP_CASES],
        one_core=OneCore(FLAGSHIP, gemm, [1.5, 1.5], [(1.6, 1.6), (2.0, 2.0)]),
        predictions=[
            Predictions(sizes, {"mlplab": [90.0, 110.0], "ONNX Runtime": [100.0, 100.0]}) for sizes in PREDICTED
        ],
        help_seconds=[0.2, 0.25, 0.4],
        memory_mb={"mlplab": 150.0, "JAX": 300.0},
        study=None,
    )


def found(results):
    return {target.what: (target.found, target.verdict) for target in targets(results)}


def test_a_ratio_is_taken_round_by_round():
    assert ratio([2, 30, 400], [1, 10, 100]) == 3


def test_the_best_rate_is_that_of_any_library(results):
    assert best_rates(results.one_core.gemm) == [1000, 1000]
    # 0.956416 GFLOP in 2 and 4 ms
    assert share(FLAGSHIP, [2.0, 4.0], results.one_core.gemm) == pytest.approx((0.478208 + 0.239104) / 2)


def test_two_processes_over_one(results):
    assert scaling(results) == [1.875, 1.5]
    assert pair_share(results) == pytest.approx((0.956416 / 1.6 + 0.956416 / 2.0) / 2)


def test_verdicts_come_from_the_figures(results):
    verdicts = found(results)
    assert verdicts["784-1024-1024-10, sgd, batch 100: faster than JAX"] == (1.5, "met")
    assert verdicts["the same: faster than the notebook"] == (None, "not measured")
    assert verdicts["mlplab --help"] == (0.25, "met")
    assert verdicts["784-128-10, predictions: as fast as ONNX Runtime"] == (1.0, "met")
    assert verdicts["the study: peak memory"] == (None, "not measured")
    slower = replace(results, help_seconds=[0.31], study=Study(2, 32, 28, 10.0, 60.0, 901.0, 500.0, 700.0))
    assert found(slower)["mlplab --help"] == (0.31, "not met")
    assert found(slower)["the study: peak memory"] == (901.0, "not met")


def test_pytorch_is_the_faster_of_its_two(results):
    speed_ups = [t.found for t in targets(results) if "PyTorch, eager or compiled" in t.what]
    assert speed_ups == [3.0, 3.0]


def test_a_file_gives_back_what_was_written(results, tmp_path):
    for whole in (results, replace(results, study=Study(2, 32, 28, 10.0, 60.0, 800.0, 500.0, 700.0))):
        whole.write(tmp_path / "result.json")
        assert Results.read(tmp_path / "result.json") == whole


def test_the_page_shows_figures_verdicts_and_what_was_left_out(results):
    page = render(results)
    assert "scikit-learn was left out: sklearn is not installed." in page
    assert "| the same: faster than PyTorch, eager or compiled | ≥ 2.00× | 3.00× | met |" in page
    assert "| 784-1024-10, adam, batch 1,000 | 3 (2–4) | 12 (8–16) | 9 (6–12) | 4.5 (3–6) |" in page
    assert "Not measured in a quick run." in page
    assert "| times as long | 6.0 |" in render(replace(results, study=Study(2, 32, 28, 10.0, 60.0, 8.0, 5.0, 7.0)))


def test_tables_have_as_many_cells_in_every_row(results):
    for block in render(results).split("\n\n"):
        widths = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block


def test_a_machine_is_described_without_its_paths():
    machine = describe()
    assert machine["cores"] >= 1
    assert machine["packages"]["mlplab"]
    assert not any(str(value).startswith("/") for value in machine.values())


def test_a_processors_name_becomes_a_files():
    assert slug("AMD EPYC (family 25, model 17)") == "amd-epyc-family-25-model-17"
    assert slug("Intel(R) Xeon(R) CPU @ 2.20GHz") == "intel-r-xeon-r-cpu-2-20ghz"
