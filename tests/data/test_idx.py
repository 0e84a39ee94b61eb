import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.data.idx import read_idx
from mlplab.errors import DataError

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train-images-idx3-ubyte"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@given(st.sampled_from(DTYPES), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.integers(0, 99))
def test_an_array_of_any_type_and_shape_is_read(folder, idx_bytes, dtype, shape, compressed, seed):
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    content, path = idx_bytes(array), folder / "labels-idx1-ubyte"
    path.write_bytes(gzip.compress(content) if compressed else content)
    read = read_idx(path)
    assert read.dtype == dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_truncated_anywhere_is_refused(path, idx_bytes, refuses, compressed):
    content = gzip.compress(idx_bytes(IMAGES)) if compressed else idx_bytes(IMAGES)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with refuses(DataError, path):
            read_idx(path)


def test_a_file_that_is_too_long_is_refused(path, idx_bytes, refuses):
    path.write_bytes(idx_bytes(IMAGES) + b"\0")
    with refuses(DataError, path, "truncated or damaged", "expected 40 bytes by its header; got 41"):
        read_idx(path)


@pytest.mark.parametrize("content", [b"", b"\0", b"\x89PNG\r\n\x1a\n", b"\0\0\x07\x01\0\0\0\0", b"a,b\n1,2\n"])
def test_another_kind_of_file_is_refused(path, refuses, content):
    path.write_bytes(content)
    with refuses(DataError, path, "not an IDX file"):
        read_idx(path)


def test_a_missing_file_is_refused(path, refuses):
    with refuses(DataError, path, "No such file"):
        read_idx(path)


def test_damage_to_a_compressed_file_is_always_detected(path, idx_bytes, flip, refuses):
    content = gzip.compress(idx_bytes(IMAGES), mtime=0)
    # bytes 4 to 9 of a gzip header say when, how fast and where it was made: nothing that matters
    for position in [*range(2), 2, *range(10, len(content))]:
        path.write_bytes(content)
        flip(path, position)
        with refuses(DataError, path):
            read_idx(path)


@pytest.mark.parametrize("axes", [65, 255])
def test_more_axes_than_an_array_can_have_are_refused(path, refuses, axes):
    path.write_bytes(bytes([0, 0, 8, axes]) + b"\0\0\0\1" * axes + b"\0")
    with refuses(DataError, path):
        read_idx(path)
