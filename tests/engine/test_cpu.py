import os

import pytest

from mlplab.engine.cpu import read_cpu, usable_cores

FLAGS = "fpu avx2 avx512f avx512dq avx512cd avx512bw avx512vl"
TWO_CORES = f"processor\t: 0\nmodel name\t: Some: CPU\nflags\t\t: {FLAGS}\n\nprocessor\t: 1\nmodel name\t: other\n"


def test_the_processor_is_read_from_cpuinfo_on_linux(tmp_path):
    (tmp_path / "cpuinfo").write_text(TWO_CORES)
    cpu = read_cpu(tmp_path / "cpuinfo")
    assert cpu.model == "Some: CPU"
    assert cpu.has_avx512


@pytest.mark.parametrize("missing", ["avx512vl", "avx512f"])
def test_avx512_is_all_of_it(tmp_path, missing):
    (tmp_path / "cpuinfo").write_text(TWO_CORES.replace(missing, ""))
    assert not read_cpu(tmp_path / "cpuinfo").has_avx512


def test_a_system_without_cpuinfo_has_a_model_but_no_flags(tmp_path):
    cpu = read_cpu(tmp_path / "nowhere")
    assert cpu.model
    assert not cpu.flags


def test_usable_cores_are_those_of_this_process():
    assert usable_cores() == (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
