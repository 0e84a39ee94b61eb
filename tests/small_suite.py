"""A small suite on scikit-learn's digits, and runs of it."""

import csv
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from mlplab.lab.monitoring.observer import NullObserver

SUITE = """
name = "small"
title = "A small suite"
dataset = "digits"

[settings]
solver = "sgd"
learning_rate_init = 0.05
max_iter = 2

[[experiment]]
name = "width"
title = "Width"
grid.hidden_layer_sizes = [[16], [4]]

[[experiment]]
name = "rate"
title = "Learning rate"
settings.max_iter = 4
grid.learning_rate_init = [0.05, 0.01]
grid.hidden_layer_sizes = [[16], [4]]
"""


@pytest.fixture(scope="session")
def suite_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def suite(suite_file):
    from mlplab import load_suite

    return load_suite(suite_file)


@pytest.fixture(scope="session")
def finished(suite_file, tmp_path_factory):
    """A finished run of the small suite; not to be written to."""
    from mlplab import load_suite

    return run_suite(load_suite(suite_file), tmp_path_factory.mktemp("run") / "out", jobs=2)


def run_suite(*arguments, **options):
    """Run a suite without figures, which take longer to draw than small networks to train."""
    import mlplab

    return mlplab.run_suite(*arguments, **{"figures": False, **options})


def result_of(trial, **measured):
    """What a trial might have left."""
    from mlplab.lab.spec.trial import TrialResult

    plain = {"label": f"label of {trial.id}", "status": "done", "epochs": 1, "seconds": 0.002, "parameters": 100}
    numbers = {"train_loss": 0.5, "train_accuracy": 0.5, "val_loss": 0.5, "val_accuracy": 0.5}
    own = {"id": trial.id, "seed": trial.seed, "settings": trial.plain_settings()}
    return TrialResult(**{**plain, **numbers, **own, **measured})


def read_results(folder: Path) -> list[dict[str, str]]:
    """The rows of results.csv without the seconds."""
    with (folder / "results.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def read_weights(folder: Path) -> dict[str, dict[str, bytes]]:
    """The arrays of every model of a run folder, bit for bit, by trial and name."""
    return {
        path.parent.name: {name: array.tobytes() for name, array in load_file(path).items()}
        for path in folder.glob("trials/*/model.safetensors")
    }


class Listening(NullObserver):
    """Keeps what somebody should know."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)
