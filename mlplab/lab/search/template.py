"""A search for any data set: the space of the built-in suite ``mnist-search``, and a suitable number of epochs."""

from __future__ import annotations

import re
from dataclasses import replace
from math import ceil
from pathlib import Path

from mlplab.data.datasets import Source
from mlplab.data.names import DATASETS
from mlplab.lab.spec.suite import Suite, load_suite

#: The number of steps for which a network is trained on small data, and the largest number of epochs.
_STEPS, _MAX_EPOCHS = 2000, 200


def suite_for(data: str, target: str | None = None) -> Suite:
    """Return a suite that searches for a network for a data set.

    It is the built-in ``mnist-search``, with more epochs for fewer than about 10,000 rows, and a budget in proportion.

    Args:
        data: the name or the file of the data set.
        target: the name of the target column, or a file of targets.

    Raises:
        DataError: if the data cannot be used.
    """
    template = load_suite("mnist-search")
    search = template.search
    assert search is not None
    assert search.epochs is not None
    if target is not None and Path(target).is_file():
        target = str(Path(target).resolve())
    source = Source(data if data in DATASETS or not Path(data).exists() else str(Path(data).resolve()), target)
    rows = len(source.load().y)
    usual = template.settings["max_iter"]
    epochs = min(_MAX_EPOCHS, max(usual, ceil(_STEPS * template.settings["batch_size"] / rows)))
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(data).stem).lstrip("-._") or "data"
    return replace(
        template,
        name=f"search-{name}",
        title=f"A search for a good network for {name}",
        source=source,
        split="official" if data == "mnist" else "random",
        settings={**template.settings, "max_iter": epochs},
        search=replace(search, epochs=search.epochs // usual * epochs),
    )
