import subprocess
import sys

import pytest

import mlplab
from mlplab import lab

PROMISED = {
    "Callback",
    "Checkpoint",
    "HistoryDisplay",
    "NeuralNetworkClassifier",
    "NeuralNetworkRegressor",
    "ReliabilityDisplay",
    "TopLossesDisplay",
    "evaluate",
    "find_learning_rate",
    "from_sklearn",
    "from_state_dict",
    "gradient_check",
    "load_dataset",
    "load_model",
    "load_results",
    "load_suite",
    "plot_confusion_matrix",
    "plot_learning_curves",
    "plot_learning_rates",
    "run_suite",
    "save_model",
    "scale_temperature",
    "to_json",
    "to_onnx",
    "to_sklearn",
    "to_state_dict",
}


def test_what_the_design_promises_is_what_is_exported():
    assert set(mlplab.__all__) == {"__version__", *PROMISED}
    assert len(mlplab.__all__) == len(set(mlplab.__all__))
    assert dir(mlplab) == sorted(mlplab.__all__)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_exported_name_is_there_when_it_is_first_used(name):
    exported = getattr(mlplab, name)
    assert exported.__name__ == name
    assert exported.__doc__


def test_the_lab_exports_its_public_names():
    names = {"Comparison", "Experiment", "Run", "Search", "Suite", "compare_configurations", "compare_results"}
    assert set(lab.__all__) == names | {"load_results", "load_suite", "open_run", "run_suite"}
    assert all(getattr(lab, name).__doc__ for name in lab.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'NeuralNetwork'"):
        mlplab.NeuralNetwork  # noqa: B018


def test_importing_mlplab_imports_nothing_heavy():
    code = "import sys, mlplab; print(*{'numpy', 'scipy', 'sklearn', 'pandas', 'matplotlib'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == ""
