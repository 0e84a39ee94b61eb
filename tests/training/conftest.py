from __future__ import annotations

import numpy as np
import pytest

from mlplab.training.batches import Rows
from mlplab.training.build import build_engine, build_learner, build_network, build_trainer
from mlplab.training.settings import Settings
from mlplab.training.tasks import classify


@pytest.fixture(scope="session")
def trainer():
    """Make the trainer of members that differ in settings and seeds: a list of each, of the same length."""

    def make(settings, seeds, X, y, validation=None, dtype=np.float64, scale=1.0, weights=None, engine=None):
        members = [Settings(**{"hidden_layer_sizes": (5,), "batch_size": 16, **own}) for own in settings]
        task = classify(int(y.max()) + 1)
        engine = engine or build_engine(members[0], dtype)
        network = build_network(members[0], X.shape[1], task.outputs, engine, seeds)
        val = Rows(*validation, scale) if validation else None
        rows = Rows(X, y, scale, weights)
        return build_trainer(members, build_learner(members[0], network, seeds), task, rows, val)

    return make
