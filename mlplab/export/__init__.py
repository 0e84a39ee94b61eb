"""Export to ONNX, JSON, PyTorch and scikit-learn, and import from the last two."""

from mlplab.export.json_file import to_json
from mlplab.export.onnx_file import to_onnx
from mlplab.export.pytorch import from_state_dict, to_state_dict
from mlplab.export.scikit_learn import from_sklearn, to_sklearn

__all__ = ["from_sklearn", "from_state_dict", "to_json", "to_onnx", "to_sklearn", "to_state_dict"]
