import os
from stat import S_IMODE

import numpy as np
import pytest

from mlplab import load_model, save_model
from mlplab.cli import run as mlplab
from mlplab.utils.tensor_file import read_tensors, write_tensors

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")


@pytest.fixture(params=[0o022, 0o002, 0o077])
def ordinary_mode(request, tmp_path):
    """The mode that Python's `open` gives a new file, under several umasks."""
    before = os.umask(request.param)
    (tmp_path / "ordinary").write_bytes(b"")
    yield S_IMODE((tmp_path / "ordinary").stat().st_mode)
    os.umask(before)


def mode(path):
    return S_IMODE(path.stat().st_mode)


def test_a_file_of_tensors_has_the_mode_of_a_new_file(tmp_path, ordinary_mode):
    path = tmp_path / "t.safetensors"
    write_tensors({"W": np.eye(3)}, {"format": "ours"}, path)
    assert mode(path) == ordinary_mode
    np.testing.assert_array_equal(read_tensors(path, "ours", "file")[0]["W"], np.eye(3))


def test_models_checkpoints_and_exports_have_it_too(tmp_path, ordinary_mode, classifier, three_classes):
    model, checkpoint, export = (tmp_path / f"{name}.safetensors" for name in ("model", "checkpoint", "export"))
    save_model(classifier().fit(*three_classes, checkpoint=checkpoint), model)
    assert mlplab(["export", str(model), str(export)]) == 0
    assert [mode(path) for path in (model, checkpoint, export)] == [ordinary_mode] * 3


def test_an_overwritten_model_keeps_the_mode_of_a_new_file(tmp_path, ordinary_mode, classifier, three_classes):
    path = tmp_path / "model.safetensors"
    fitted = classifier().fit(*three_classes)
    path.touch(mode=0o600)
    save_model(fitted, path)
    assert mode(path) == ordinary_mode
    assert load_model(path).coefs_[0].tobytes() == fitted.coefs_[0].tobytes()
