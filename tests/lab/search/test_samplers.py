import numpy as np

from mlplab.lab.search.halving import TrialProgress
from mlplab.lab.search.samplers import CONSTRUCTORS, ObservedTrial, propose
from mlplab.lab.spec.search import SAMPLERS, Search
from mlplab.lab.spec.space import Choices, Layers, Range


def test_a_suite_may_name_every_sampler_and_no_other():
    assert tuple(CONSTRUCTORS) == SAMPLERS


def test_a_sampler_learns_from_earlier_trials():
    layers = Layers(Range(0, 2, whole=True), Range(4, 32, log=True, whole=True))
    rates, dropouts = Range(0.001, 0.1, log=True), Choices((0.0, 0.2))
    space = {"hidden_layer_sizes": layers, "learning_rate_init": rates, "dropout": dropouts}
    search, sizes = Search(space, epochs=90), {"hidden_layer_sizes.depth": 1, "hidden_layer_sizes.width": 8}
    good, bad = TrialProgress([(0.9, -0.1)] * 3), TrialProgress([(0.1, -9.0)])
    known = [
        ObservedTrial({**sizes, "learning_rate_init": rate, "dropout": dropout}, progress)
        for k in range(20)
        for rate, dropout, progress in [(0.01 + k / 10_000, "0", good), (0.09 + k / 10_000, "0.2", bad)]
    ]
    found = propose(search, known, 0, 20)
    assert np.mean([one["dropout"] == "0" for one in found]) > 0.7
    assert np.mean([one["learning_rate_init"] < 0.05 for one in found]) > 0.7
    assert propose(search, known, 0, 20) == found
    assert propose(search, known, 1, 20) != found
