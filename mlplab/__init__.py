"""Which fully connected network suits this data, and how strong is the evidence?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlplab.version import __version__

#: Where each public name lives. They are imported when they are first used: `mlplab --help` needs none of them.
_HOMES = {
    "Callback": "mlplab.training.callbacks",
    "Checkpoint": "mlplab.training.checkpoint",
    "HistoryDisplay": "mlplab.report.displays",
    "NeuralNetworkClassifier": "mlplab.classifier",
    "NeuralNetworkRegressor": "mlplab.regressor",
    "ReliabilityDisplay": "mlplab.report.displays",
    "TopLossesDisplay": "mlplab.report.displays",
    "evaluate": "mlplab.evaluation",
    "find_learning_rate": "mlplab.learningrate",
    "from_sklearn": "mlplab.export",
    "from_state_dict": "mlplab.export",
    "gradient_check": "mlplab.gradientcheck",
    "load_dataset": "mlplab.data",
    "load_model": "mlplab.modelfile",
    "load_results": "mlplab.lab",
    "load_suite": "mlplab.lab",
    "plot_confusion_matrix": "mlplab.report",
    "plot_learning_curves": "mlplab.report",
    "plot_learning_rates": "mlplab.report",
    "run_suite": "mlplab.lab",
    "save_model": "mlplab.modelfile",
    "scale_temperature": "mlplab.calibration",
    "to_json": "mlplab.export",
    "to_onnx": "mlplab.export",
    "to_sklearn": "mlplab.export",
    "to_state_dict": "mlplab.export",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604

if TYPE_CHECKING:
    from mlplab.calibration import scale_temperature
    from mlplab.classifier import NeuralNetworkClassifier
    from mlplab.data import load_dataset
    from mlplab.evaluation import evaluate
    from mlplab.export import from_sklearn, from_state_dict, to_json, to_onnx, to_sklearn, to_state_dict
    from mlplab.gradientcheck import gradient_check
    from mlplab.lab import load_results, load_suite, run_suite
    from mlplab.learningrate import find_learning_rate
    from mlplab.modelfile import load_model, save_model
    from mlplab.regressor import NeuralNetworkRegressor
    from mlplab.report import plot_confusion_matrix, plot_learning_curves, plot_learning_rates
    from mlplab.report.displays import HistoryDisplay, ReliabilityDisplay, TopLossesDisplay
    from mlplab.training.callbacks import Callback
    from mlplab.training.checkpoint import Checkpoint


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlplab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
