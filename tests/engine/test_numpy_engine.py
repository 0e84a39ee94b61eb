import copy
import pickle
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplab.engine.numpy_engine import NumpyEngine

DTYPES = ["float32", "float64"]
lengths = st.integers(1, 5)


def close(actual, expected):
    tolerance = 1e-5 if actual.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def draw(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


@given(
    st.integers(1, 3), lengths, lengths, lengths, st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from(DTYPES), st.integers(0, 99),
)  # fmt: skip
def test_matmul_is_alpha_times_op_a_op_b_plus_beta_times_out(
    members, rows, inner, columns, transpose_a, transpose_b, own_factors, dtype, seed
):
    rng = np.random.default_rng(seed)
    A, B = draw(rng, dtype, members, rows, inner), draw(rng, dtype, members, inner, columns)
    out = draw(rng, dtype, members, rows, columns)
    alpha, beta = rng.normal(size=(2, members)) if own_factors else rng.normal(size=(2, 1))
    expected = alpha[:, None, None] * (A.astype(float) @ B.astype(float)) + beta[:, None, None] * out.astype(float)
    given_A = np.ascontiguousarray(A.swapaxes(1, 2)) if transpose_a else A
    given_B = np.ascontiguousarray(B.swapaxes(1, 2)) if transpose_b else B
    kept = given_A.copy(), given_B.copy()
    factors = {"alpha": alpha.tolist(), "beta": beta.tolist()} if own_factors else {"alpha": alpha[0], "beta": beta[0]}

    NumpyEngine(dtype).matmul(given_A, given_B, out, transpose_a, transpose_b, **factors)

    close(out, expected)
    np.testing.assert_array_equal(given_A, kept[0])
    np.testing.assert_array_equal(given_B, kept[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_with_beta_zero_does_not_look_at_out(dtype):
    rng = np.random.default_rng(0)
    A, B, out = draw(rng, dtype, 2, 3, 4), draw(rng, dtype, 2, 4, 5), np.full((2, 3, 5), np.nan, dtype)
    NumpyEngine(dtype).matmul(A, B, out)
    close(out, A @ B)


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_into_views_of_a_flat_buffer_writes_nowhere_else(dtype):
    rng = np.random.default_rng(0)
    flat = draw(rng, dtype, 2, 20)
    before, out = flat.copy(), flat[:, 3:15].reshape(2, 3, 4)
    A, B = draw(rng, dtype, 2, 5, 3), draw(rng, dtype, 2, 5, 4)
    NumpyEngine(dtype).matmul(A, B, out, transpose_a=True, beta=1.0)
    close(flat[:, 3:15].reshape(2, 3, 4), before[:, 3:15].reshape(2, 3, 4) + A.swapaxes(1, 2) @ B)
    np.testing.assert_array_equal(flat[:, :3], before[:, :3])
    np.testing.assert_array_equal(flat[:, 15:], before[:, 15:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_of_padded_rows_leaves_the_padding_alone(dtype):
    engine, rng = NumpyEngine(dtype), np.random.default_rng(0)
    A, B, out = (draw(rng, dtype, 2, rows, 9)[..., :columns] for rows, columns in [(5, 3), (5, 4), (3, 4)])
    before = out.base.copy()
    engine.matmul(A, B, out, transpose_a=True, beta=1.0)
    close(out, before[..., :4] + A.swapaxes(1, 2) @ B)
    np.testing.assert_array_equal(out.base[..., 4:], before[..., 4:])


def test_matmul_sees_new_values_new_factors_and_new_arrays():
    engine, rng = NumpyEngine("float64"), np.random.default_rng(0)
    out = np.empty((1, 3, 3))
    for _ in range(600):  # more than stay prepared; the memory of a dead array, and its id, are used again
        A, B = draw(rng, "float64", 1, 3, 3), draw(rng, "float64", 1, 3, 3)
        for alpha in (1.0, -2.0):
            engine.matmul(A, B, out, alpha=alpha)
            close(out, alpha * A @ B)
            A *= 3


def test_a_prepared_product_does_not_keep_its_arrays_alive():
    engine, arrays = NumpyEngine(), [np.ones((1, 2, 2), np.float32) for _ in range(3)]
    engine.matmul(*arrays)
    seen = weakref.ref(arrays[2])
    arrays.clear()
    assert seen() is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_padded_where_they_would_collide_in_the_cache(dtype):
    engine = NumpyEngine(dtype)
    width = 2048 // engine.dtype.itemsize
    assert engine.matrices(1, 2, width).shape == (1, 2, width)
    assert engine.matrices(1, 2, width).strides[1] == 2048 + 64
    assert engine.matrices(1, 2, width - 1).flags.c_contiguous
    assert engine.empty(1, 2, width).flags.c_contiguous


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_for_each_calls_once_per_item_in_the_callers_context(threads, count, monkeypatch):
    engine, seen = NumpyEngine(), []
    together = threading.Barrier(threads if count == 40 else 1, timeout=30)
    monkeypatch.setattr(engine, "_threads", lambda: threads)

    def work(item):
        np.array([1e300]) * 1e300  # a warning is an error in these tests
        if len(seen) < threads:
            seen.append((item, threading.get_ident()))
            together.wait()  # so that no thread takes what is another's
        else:
            seen.append((item, threading.get_ident()))

    with engine.quiet():
        engine.for_each(work, range(count))
    assert sorted(item for item, _ in seen) == list(range(count))
    assert len({thread for _, thread in seen}) == (threads if count == 40 else min(count, 1))


@pytest.mark.parametrize("item", [0, 1, 39])
def test_for_each_lets_no_error_get_lost(item, monkeypatch):
    engine = NumpyEngine()
    monkeypatch.setattr(engine, "_threads", lambda: 3)
    with pytest.raises(ZeroDivisionError):
        engine.for_each(lambda k: 1 / (k - item), range(40))


@given(
    st.integers(1, 3), lengths, lengths, st.sampled_from(["uint8", "int16", "int64", "float32", "float64", "bool"]),
    st.sampled_from(DTYPES), st.sampled_from([1.0, 1 / 255, 0.1]), st.integers(0, 99),
)  # fmt: skip
def test_gather_writes_scaled_rows_of_any_number_type(members, batch, width, source_dtype, dtype, scale, seed):
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 200, (6, width)).astype(source_dtype)
    rows, kept = rng.integers(0, 6, (members, batch)), source.copy()
    out = np.full((members, batch, width), np.nan, dtype)
    NumpyEngine(dtype).gather(source, rows, out, scale)
    close(out, scale * source.astype(float)[rows])
    np.testing.assert_array_equal(source, kept)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source_dtype", ["uint8", "float32", "float64"])
def test_gather_reads_what_must_not_be_written(dtype, source_dtype):
    source = np.arange(6, dtype=source_dtype).reshape(3, 2)
    source.flags.writeable = False
    out = np.empty((1, 2, 2), dtype)
    NumpyEngine(dtype).gather(source, np.array([[2, 0]]), out, 0.5)
    close(out, [[[2.0, 2.5], [0.0, 0.5]]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_new_arrays_have_the_engines_dtype(dtype):
    engine = NumpyEngine(dtype)
    assert engine.empty(2, 3).shape == (2, 3)
    assert {a.dtype.name for a in (engine.empty(1), engine.zeros(1), engine.asarray([1]))} == {dtype}
    np.testing.assert_array_equal(engine.zeros(2, 3), np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_asarray_copies_only_where_it_must(dtype):
    engine, right = NumpyEngine(dtype), np.ones((2, 3), dtype)
    assert engine.asarray(right) is right
    assert engine.to_numpy(right) is right
    assert engine.asarray(right.T).flags.c_contiguous
    np.testing.assert_array_equal(engine.asarray([[1, 2]]), [[1, 2]])


def test_overflow_is_silent_inside_quiet_and_only_there():
    large = np.array([1e300])
    with NumpyEngine().quiet():
        assert np.isinf(large * large).all()
        assert np.isnan(large * large - large * large).all()
    with pytest.raises(RuntimeWarning):
        large * large


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda engine: pickle.loads(pickle.dumps(engine))])
def test_a_copied_engine_computes_in_the_same_dtype(dtype, copied):
    engine, out = copied(NumpyEngine(dtype)), np.empty((1, 1, 1), dtype)
    engine.matmul(np.full((1, 1, 2), 3, dtype), np.full((1, 2, 1), 2, dtype), out)
    assert (engine.dtype.name, out.item()) == (dtype, 12)


@pytest.mark.parametrize(
    ("A", "B", "out"),
    [
        (np.ones((1, 2, 3), "f"), np.ones((1, 3, 4)), np.ones((1, 2, 4), "f")),
        (np.ones((1, 2, 3)), np.ones((1, 3, 4)), np.ones((1, 2, 4))),
        (np.ones((1, 2, 3), "f"), np.ones((1, 4, 4), "f"), np.ones((1, 2, 4), "f")),
        (np.ones((1, 2, 3), "f"), np.ones((2, 3, 4), "f"), np.ones((1, 2, 4), "f")),
        (np.ones((1, 2, 3), "f"), np.ones((1, 3, 4), "f"), np.ones((1, 2, 5), "f")),
        (np.ones((1, 3, 2), "f").swapaxes(1, 2), np.ones((1, 3, 4), "f"), np.ones((1, 2, 4), "f")),
        (np.ones((1, 2, 3), "f")[:, ::-1], np.ones((1, 3, 4), "f"), np.ones((1, 2, 4), "f")),
        (np.ones((1, 2, 3), "f"), np.ones((1, 3, 4), "f"), np.broadcast_to(np.float32(0), (1, 2, 4))),
    ],
)
def test_matmul_refuses_what_c_code_would_misread(A, B, out):
    with pytest.raises(ValueError, match=r"matrices in rows|computes in float32"):
        NumpyEngine("float32").matmul(A, B, out)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 4, 5), (4, 5, 1), (1, 3, 1), (1, 1, 1), (5, 1, 5)])
def test_thin_products_with_beta_zero_do_not_look_at_out(dtype, rows, inner, columns):
    rng = np.random.default_rng(0)
    A, B = draw(rng, dtype, 2, rows, inner), draw(rng, dtype, 2, inner, columns)
    out = np.full((2, rows, columns), np.nan, dtype)
    NumpyEngine(dtype).matmul(A, B, out)
    close(out, A @ B)
