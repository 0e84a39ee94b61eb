import inspect
from fractions import Fraction

import numpy as np
import pytest

from mlplab.engine.base import Engine, is_array
from mlplab.engine.blas import load_blas
from mlplab.engine.numpy_engine import NumpyEngine

DTYPES = ["float32", "float64"]
MEMBERS = sorted(name for name in vars(Engine) if not name.startswith("_"))


@pytest.mark.parametrize("name", MEMBERS)
def test_the_numpy_engine_has_every_member_of_the_protocol(name):
    assert hasattr(NumpyEngine(), name)
    promised, made = getattr(Engine, name), getattr(NumpyEngine, name, None)
    if callable(promised) and name != "compile":  # whose arguments NumPy's ignores, whatever they are
        assert list(inspect.signature(made).parameters) == list(inspect.signature(promised).parameters)


def test_the_protocol_has_what_the_formulas_use():
    assert {"xp", "dtype", "matmul", "row_stride", "gather", "copy", "random_mask", "compile"} <= set(MEMBERS)


@pytest.mark.parametrize("value", [np.zeros(2), np.zeros(()), np.zeros((1, 2), "f")[:, :1]])
def test_arrays_are_arrays(value):
    assert is_array(value)


@pytest.mark.parametrize(
    "value", [1.0, np.float32(1), np.float64(1), np.bool_(1), None, [1.0], "a", {}, Fraction(1, 2)]
)
def test_numbers_and_containers_are_no_arrays(value):
    assert not is_array(value)


def test_the_identity_is_that_of_the_products():
    blas = load_blas()
    assert NumpyEngine("float32").identity() == NumpyEngine("float64").identity()
    assert NumpyEngine().identity() in {blas.kernel, blas.version}
    assert NumpyEngine().identity()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_copy_has_memory_of_its_own(dtype):
    engine = NumpyEngine(dtype)
    array = engine.asarray([[1, 2], [3, 4]])
    copy = engine.copy(array)
    array += 1
    np.testing.assert_array_equal(copy, [[1, 2], [3, 4]])
    assert copy.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threshold", [0, 1, 20_000, 65_535])
def test_a_mask_is_one_where_the_number_reaches_it(dtype, threshold):
    # row by row into matrices whose rows lie apart, as the network's do
    out = np.full((2, 300, 20), np.nan, dtype)[..., :7]
    used, same = ([np.random.default_rng(seed) for seed in (3, 4)] for _ in range(2))
    NumpyEngine(dtype).random_mask(used, threshold, out)
    numbers = [rng.integers(0, 65_536, (300, 7), np.uint16).astype(int) for rng in same]
    np.testing.assert_array_equal(out, np.where(np.array(numbers) >= threshold, 1, 0))
    assert [rng.random() for rng in used] == [rng.random() for rng in same]


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_numbers_are_drawn_in_the_engines_dtype(dtype):
    drawn = NumpyEngine(dtype).standard_normal(np.random.default_rng(5), 3, 4)
    assert (drawn.shape, drawn.dtype) == ((3, 4), dtype)
    np.testing.assert_array_equal(drawn, np.random.default_rng(5).standard_normal((3, 4), dtype))


def test_numpy_compiles_nothing():
    assert NumpyEngine().compile(object(), object(), object(), task=object()) is None
    assert NumpyEngine().compile(object(), object()) is None
