"""ONNX Runtime, on a model of Gemm, Sigmoid and Softmax that is built here."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from benchmarks.rows import Array


def predicting(sizes: tuple[int, ...], X: Array) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    model = _model(sizes).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"X": X})


def _model(sizes: tuple[int, ...]) -> ModelProto:
    rng, nodes, weights, below = np.random.default_rng(0), [], [], "X"
    for k, (i, o) in enumerate(pairwise(sizes)):
        W, b = rng.normal(0, np.sqrt(2 / (i + o)), (i, o)).astype(np.float32), np.zeros(o, np.float32)
        weights += [numpy_helper.from_array(W, f"W{k}"), numpy_helper.from_array(b, f"b{k}")]
        nodes.append(helper.make_node("Gemm", [below, f"W{k}", f"b{k}"], [f"z{k}"]))
        nodes.append(helper.make_node("Sigmoid" if k < len(sizes) - 2 else "Softmax", [f"z{k}"], [f"a{k}"]))
        below = f"a{k}"
    rows = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("X", sizes[0]), (below, sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "network", rows[:1], rows[1:], weights)
    # versions that older runtimes read too: the newest onnx package may be ahead of the runtime
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
