import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from benchmarks.scale import draw, render

ROW = {"ms": 1.5, "epoch_seconds": 2.0, "run_seconds": 3.0}
SERIES = {name: [{name: 10, **ROW}, {name: 1000, **ROW}] for name in ("width", "depth", "batch", "rows", "trials")}


def test_the_page_has_a_table_for_every_series():
    page = render({"machine": {"cpu": "Some CPU", "cores": 2, "date": "today"}, "series": SERIES}, "scale.png")
    assert "Some CPU, 2 cores" in page
    assert "(scale.png)" in page
    for name in SERIES:
        assert f"## {name.capitalize()}" in page
    assert page.count("| 1,000 | 1.5 | 2.0 | 3.0 |") == len(SERIES)


def test_the_picture_shows_something(tmp_path):
    draw(SERIES, tmp_path / "scale.png")
    assert len(np.unique(imread(tmp_path / "scale.png"))) > 10


def test_every_benchmark_that_make_calls_is_there():
    called = re.findall(r"-m (benchmarks\.\w+)", Path("Makefile").read_text(encoding="utf-8"))
    assert called
    assert all(find_spec(module) for module in called)
