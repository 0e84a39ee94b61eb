import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.training.batches import BatchReader, Rows

TARGETS = np.eye(3)


def rows(count, width=2, dtype=float, scale=1.0, weights=None):
    X = np.random.default_rng(0).integers(0, 256, (count, width)).astype(dtype)
    return Rows(X, np.arange(count) % 3, scale, weights)


def copies(batches):
    """Keep what is valid only until the next batch."""
    return [(b.X.copy(), b.T.copy(), b.y.copy(), None if b.weights is None else b.weights.copy()) for b in batches]


@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 25), st.integers(1, 3), st.integers(0, 99))
def test_batches_are_the_rows_in_the_given_order_of_every_member(members, count, batch_size, width, seed):
    data, rng = rows(count, width), np.random.default_rng(seed)
    order = np.stack([rng.permutation(count) for _ in range(members)])
    batches = copies(BatchReader(NumpyEngine("float64"), data, TARGETS, batch_size, members).batches(order))
    assert [X.shape[1] for X, *_ in batches[:-1]] == [min(batch_size, count)] * (len(batches) - 1)
    for part, expected in enumerate((data.X[order], TARGETS[data.y[order]], data.y[order])):
        np.testing.assert_array_equal(np.concatenate([batch[part] for batch in batches], axis=1), expected)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 10, 100])
def test_in_order_is_the_rows_as_they_lie_for_every_member(members, batch_size):
    data = rows(10)
    batches = copies(BatchReader(NumpyEngine("float64"), data, TARGETS, batch_size, members).in_order())
    X = np.concatenate([X for X, *_ in batches], axis=1)
    np.testing.assert_array_equal(X, np.broadcast_to(data.X, (members, *data.X.shape)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_stay_uint8_until_they_are_scaled_in_the_batch(dtype):
    data = rows(7, dtype=np.uint8, scale=1 / 255)
    (X, T, *_), *_ = copies(BatchReader(NumpyEngine(dtype), data, TARGETS, 7).in_order())
    assert data.X.dtype == np.uint8
    assert (X.dtype, T.dtype) == (dtype, dtype)
    np.testing.assert_allclose(X[0], data.X / 255, rtol=1e-6)


def test_weights_follow_their_rows():
    data = rows(10, weights=np.arange(10.0))
    order = np.random.default_rng(1).permutation(10)[None]
    batches = copies(BatchReader(NumpyEngine("float32"), data, TARGETS, 4).batches(order))
    np.testing.assert_array_equal(np.concatenate([batch[3] for batch in batches], axis=1), order.astype(float))


def test_no_weights_are_none():
    assert next(BatchReader(NumpyEngine(), rows(3), TARGETS, 2).in_order()).weights is None


def test_buffers_are_used_again():
    addresses = {batch.X.ctypes.data for batch in BatchReader(NumpyEngine(), rows(12), TARGETS, 4).in_order()}
    assert len(addresses) == 1


def test_rows_are_counted():
    assert len(rows(7)) == 7


def test_the_row_order_is_drawn_from_each_members_generator():
    reader = BatchReader(NumpyEngine("float64"), rows(7), TARGETS, 3, members=2)
    order = reader.draw_order([np.random.default_rng(seed) for seed in (0, 1)])
    expected = [np.random.default_rng(seed).permutation(7) for seed in (0, 1)]
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(reader.draw_order(None), [range(7)] * 2)
