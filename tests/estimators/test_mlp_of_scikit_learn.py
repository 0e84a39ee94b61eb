"""scikit-learn's own tests of `MLPClassifier` and `MLPRegressor`, from the installed version, with our estimators."""

import importlib.util
import re
from pathlib import Path
from unittest import mock

import pytest
import sklearn.neural_network

from mlplab import NeuralNetworkClassifier, NeuralNetworkRegressor

#: Their tests that do not apply, and why. A test that passes all the same fails here, so that the list stays true.
NOT_FOR_US = {
    "test_fit": "puts `coefs_` and private arrays in place before the first fit; here `fit` takes `coef_init`",
    "test_gradient": "calls the private `_loss_grad_lbfgs`; here there is `gradient_check`",
    "test_learning_rate_warmstart": "reads the rate of the private `_optimizer`",
    "test_adaptive_learning_rate": "reads the rate of the private `_optimizer`",
    "test_n_iter_no_change": "reads the private `_no_improvement_count`",
    "test_n_iter_no_change_inf": "reads the private `_no_improvement_count`",
    "test_lbfgs_regression_maxfun": "counts on more than ten evaluations; from our start a linear network needs fewer",
}
PAGE = Path(__file__).parents[2] / "docs" / "coming-from-scikit-learn.md"


def their_module():
    """Return their test module, loaded anew while the two names stand for our estimators."""
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    names = {"MLPClassifier": NeuralNetworkClassifier, "MLPRegressor": NeuralNetworkRegressor}
    with mock.patch.multiple(sklearn.neural_network, **names):
        spec.loader.exec_module(module)
    return module


def their_tests():
    """Return their test functions by name, those that do not apply marked as expected failures."""
    tests = {name: test for name, test in vars(their_module()).items() if name.startswith("test_")}
    for name, reason in NOT_FOR_US.items():
        tests[name] = pytest.mark.xfail(reason=reason, strict=True)(tests[name])
    return tests


@pytest.fixture
def global_random_seed():
    """Their conftest's seed of a run."""
    return 42


# Their tests look away where a fit does not converge, or leave the warning: they do not run with warnings as errors.
pytestmark = pytest.mark.filterwarnings("default")
globals().update(their_tests())


def test_the_docs_name_the_same_tests_and_reasons():
    assert (
        dict(re.findall(r"^\| `(test_\w+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == NOT_FOR_US
    )
