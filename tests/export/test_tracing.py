import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from mlplab.errors import SettingError
from mlplab.export.tracing import _COMPARISONS, _COMPOSED, _OPERATORS, Traced


def compute(formula, x):
    """Trace `formula` of an array, and let ONNX Runtime compute it."""
    nodes, constants = [], []

    def add(operator, *inputs, **attributes):
        names = []
        for one in inputs:
            if not isinstance(one, str):
                constants.append(numpy_helper.from_array(np.asarray(one, np.float32), f"c{len(constants)}"))
            names.append(one if isinstance(one, str) else constants[-1].name)
        nodes.append(helper.make_node(operator, names, [f"v{len(nodes)}"], **attributes))
        return f"v{len(nodes) - 1}"

    result = formula(Traced(add, "x"))
    nodes.append(helper.make_node("Identity", [(1.0 * result).name], ["y"]))
    number = onnx.TensorProto.FLOAT
    ends = [[helper.make_tensor_value_info(name, number, ["n"])] for name in "xy"]
    graph = helper.make_graph(nodes, "formula", *ends, constants)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(file)
    return onnxruntime.InferenceSession(file.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("function", [*_OPERATORS, *_COMPARISONS, *_COMPOSED], ids=lambda f: f.__name__)
def test_every_function_of_the_tables_is_numpys(function):
    x = np.linspace(0.05, 3, 50, dtype=np.float32)
    others = [np.float32(1.5)] * (function.nin - 1)

    def formula(z):
        return function(z, *others)

    np.testing.assert_allclose(compute(formula, x), 1.0 * formula(x), rtol=2e-5, atol=1e-6)


def _in_place(z):
    z = z.copy()
    z *= 2
    z -= 0.5 * z
    np.tanh(z, out=z)
    z[...] = z + 1
    return z


def _copied(z):
    w = z.copy()
    w += 1
    return w - z


FORMULAS = {
    "in place": _in_place,
    "into an array": lambda z: np.multiply(z, 2, out=np.empty_like(z)) + z,
    "clip": lambda z: np.clip(z, -1, 1) + np.clip(z, 0, None) + np.clip(z, None, 0.5),
    "where": lambda z: np.where(z > 0, z, 0.1 * z) + np.where(z, 1.0, 2.0),
    "comparison as a number": lambda z: z * (z > 0),
    "numbers on the left": lambda z: 2 - z + np.float64(0.5) * z - 1 / (3 + z * z),
    "power and sign": lambda z: np.abs(z) ** 1.5 - (-z),
    "a copy": _copied,
}


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=8))
def test_formulas_of_every_form_are_numpys(formula, numbers):
    x = np.array(numbers, np.float32)
    np.testing.assert_allclose(compute(formula, x), formula(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "formula",
    [
        lambda z: np.hypot(z, z),
        np.add.reduce,
        np.sort,
        lambda z: z[0],
        lambda z: np.exp(z, where=np.array(True)),
    ],
)
def test_what_it_does_not_know_is_refused(formula, refuses):
    with refuses(SettingError, "cannot be exported"):
        formula(Traced(lambda *_, **__: "v", "x"))
