import gzip
import lzma

import numpy as np
import pytest

from mlplab.data import mnist as module
from mlplab.errors import DataError

#: How often each digit occurs, as the literature has it.
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A place of our own for the package's file."""
    path = tmp_path / "mnist.xz"
    monkeypatch.setattr(module, "PATH", path)
    return path


def test_shape_and_type(mnist):
    assert (mnist.X.shape, mnist.X.dtype) == ((70_000, 784), np.uint8)
    assert (mnist.y.shape, mnist.y.dtype) == ((70_000,), np.uint8)
    assert (mnist.image_shape, mnist.test_rows, mnist.scale) == ((28, 28), 10_000, 1 / 255)


def test_the_official_training_images_precede_the_test_images(mnist):
    np.testing.assert_array_equal(np.bincount(mnist.y[:60_000]), TRAIN_COUNTS)
    np.testing.assert_array_equal(np.bincount(mnist.y[60_000:]), TEST_COUNTS)
    np.testing.assert_array_equal(mnist.y[:10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    np.testing.assert_array_equal(mnist.y[60_000:60_010], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9])


def test_pixels_have_the_well_known_mean_and_deviation(mnist):
    train = mnist.X[:60_000]
    assert train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert np.bincount(train.ravel(), minlength=256) @ (np.arange(256) / 255) ** 2 / train.size == pytest.approx(
        0.3081**2 + 0.1307**2, abs=1e-4
    )


def test_images_are_upright_with_an_empty_margin(mnist):
    images = mnist.X.reshape(-1, 28, 28)
    assert not images[:, :2, :2].any()
    ones = images[mnist.y == 1].mean(axis=0) > 127
    assert np.ptp(np.nonzero(ones)[0]) > 2 * np.ptp(np.nonzero(ones)[1])  # the mean 1 is tall and thin


def test_what_is_loaded_cannot_be_changed_by_accident(mnist):
    assert not mnist.X.flags.writeable
    assert not mnist.y.flags.writeable


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
        lambda content: b"",
        lambda content: b"<html>not found</html>",
    ],
    ids=["half", "last byte gone", "bit flipped", "empty", "another file"],
)
def test_a_damaged_file_is_refused(packed, refuses, damage):
    original = module.__file__.replace("mnist.py", "mnist.xz")
    with open(original, "rb") as file:  # noqa: PTH123
        packed.write_bytes(damage(file.read()))
    with refuses(DataError, packed, "reinstall mlplab"):
        module.load_mnist()


def test_other_content_in_a_whole_file_is_refused(packed, refuses):
    packed.write_bytes(lzma.compress(bytes(70_000 * 785)))
    with refuses(DataError, packed, "SHA-256", "reinstall mlplab"):
        module.load_mnist()


def test_a_missing_file_is_refused(packed, refuses):
    with refuses(DataError, packed, "reinstall mlplab"):
        module.load_mnist()


def test_pack_puts_training_before_test_and_images_before_labels(packed, tmp_path, idx_bytes, monkeypatch):
    rng = np.random.default_rng(0)
    parts = {}
    for part, rows in (("train", 3), ("t10k", 2)):
        parts[part] = rng.integers(0, 256, (rows, 28, 28), np.uint8), rng.integers(0, 10, rows, np.uint8)
        for kind, array in zip(("images-idx3", "labels-idx1"), parts[part], strict=True):
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array)))
    monkeypatch.setattr(module, "SHA256", module.pack(tmp_path))
    monkeypatch.setattr(module, "TRAIN", 3)
    monkeypatch.setattr(module, "TEST", 2)
    X, y = module.load_mnist()
    np.testing.assert_array_equal(X.reshape(5, 28, 28), np.concatenate([parts["train"][0], parts["t10k"][0]]))
    np.testing.assert_array_equal(y, np.concatenate([parts["train"][1], parts["t10k"][1]]))
