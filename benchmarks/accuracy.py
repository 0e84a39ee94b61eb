"""mlplab with its defaults beside scikit-learn with its: ``python -m benchmarks.accuracy [--seeds N]``.

Mean accuracy on held-out rows and seconds of a fit, on four data sets. A seed draws the split (a quarter for test,
stratified) and the weights of both. Features are standardised by the training rows. Leaves ``accuracy-CPU.md`` and
``.json`` in `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import mean, median, stdev
from time import perf_counter
from typing import Any

from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks import machine
from mlplab import NeuralNetworkClassifier

_RESULTS = Path(__file__).parent / "results"
DATA: dict[str, Callable[[], Any]] = {
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "synthetic, 20,000 rows": lambda: make_classification(
        20_000, 20, n_informative=10, n_classes=4, n_clusters_per_class=2, random_state=0
    ),
}
#: Accuracies and seconds of every seed, by contender.
Found = dict[str, dict[str, list[float]]]


def measure(name: str, seeds: int) -> Found:
    """Fit both in turns and return what they reached."""
    X, y = DATA[name]()
    found: Found = {kind.__name__: {"accuracy": [], "seconds": []} for kind in (NeuralNetworkClassifier, MLPClassifier)}
    for seed in range(seeds):
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
        scaler = StandardScaler().fit(X_train)
        kinds = [NeuralNetworkClassifier, MLPClassifier]
        for kind in kinds if seed % 2 else reversed(kinds):
            model = kind(random_state=seed)
            started = perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are both's default
                model.fit(scaler.transform(X_train), y_train)
            found[kind.__name__]["seconds"].append(perf_counter() - started)
            found[kind.__name__]["accuracy"].append(float(model.score(scaler.transform(X_test), y_test)))
    return found


def row(name: str, found: Found) -> str:
    """Return a line of the table: accuracies, their paired difference with its 95 % interval, times."""
    ours, theirs = found["NeuralNetworkClassifier"], found["MLPClassifier"]
    differences = [100 * (a - b) for a, b in zip(ours["accuracy"], theirs["accuracy"], strict=True)]
    half = 1.96 * stdev(differences) / sqrt(len(differences))
    quicker = median(b / a for a, b in zip(ours["seconds"], theirs["seconds"], strict=True))
    return (
        f"| {name} | {100 * mean(ours['accuracy']):.2f} % | {100 * mean(theirs['accuracy']):.2f} % "
        f"| {mean(differences):+.2f} ± {half:.2f} | {median(ours['seconds']):.2f} | {median(theirs['seconds']):.2f} "
        f"| {quicker:.1f} |"
    )


def main() -> None:
    """Measure, write both files, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="[default: 10]")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="folder for the results")
    options = parser.parse_args()
    found = {name: measure(name, options.seeds) for name in DATA}
    described = machine.describe()
    page = "\n".join(
        [
            "# With the defaults, beside scikit-learn's MLPClassifier",
            "",
            f"{described['cpu']}, {described['cores']} cores, {described['date']}; {options.seeds} seeds. "
            f"mlplab {described['packages']['mlplab']}, scikit-learn {described['packages']['scikit-learn']}. "
            "Accuracy on a quarter of the rows; the difference is paired over the seeds, in points, with its 95 % "
            "interval.",
            "",
            "| data | mlplab | scikit-learn | difference | seconds, mlplab | seconds, scikit-learn | times as fast |",
            "|---|---|---|---|---|---|---|",
            *(row(name, one) for name, one in found.items()),
            "",
        ]
    )
    file = options.out / f"accuracy-{machine.slug(described['cpu'])}.json"
    file.write_text(json.dumps({"machine": described, "found": found}, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
