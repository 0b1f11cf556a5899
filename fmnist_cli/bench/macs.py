"""Multiply-adds per image, counted while the graph runs once.

ONNX Runtime's profile names the shapes of all that a node reads and writes, so the shapes are
those of a real call and no package that reads graphs is needed.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME
from fmnist_cli.inference.models import ModelFile

Shape = Sequence[int]


def count_macs(file: ModelFile) -> int:
    """Multiply-adds of the convolutions and matrix products for one image.

    Comparisons of trees, activations, normalisations and sums are not among them, as usual.

    Args:
        file: a graph that a `Session` accepted.
    """
    options = ort.SessionOptions()
    options.enable_profiling = True
    # As written: fused nodes have other names, and packed weights no shape.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
        shape = session.get_inputs()[0].shape[1:]
        session.run([OUTPUT_NAME], {INPUT_NAME: np.zeros((1, *shape), np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(_of_node(event["args"]) for event in events if event.get("cat") == "Node")


def _of_node(node: Mapping[str, Any]) -> int:
    if not node.get("output_type_shape"):
        return 0
    inputs = [_shape(tensor) for tensor in node["input_type_shape"]]
    output = _shape(node["output_type_shape"][0])
    return macs_of(node["op_name"], inputs, output)


def _shape(tensor: Mapping[str, list[int]]) -> list[int]:
    """The shape in ``{"float": [1, 10]}``."""
    (shape,) = tensor.values()
    return shape


def macs_of(operation: str, inputs: Sequence[Shape], output: Shape) -> int:
    """Multiply-adds of one node; 0 for operations that are no product.

    Args:
        operation: name in the ONNX standard.
        inputs: shapes, in the order of the standard.
        output: shape of the first output.
    """
    if operation in ("QLinearConv", "QLinearMatMul"):  # values, then their scale and zero point
        inputs = [inputs[0], inputs[3]]
    if operation in ("Conv", "ConvInteger", "QLinearConv"):
        # Weights are [out, in / groups, …]: one product each per output value.
        return math.prod(output) * math.prod(inputs[1][1:])
    if operation == "Gemm":  # [M, K] or, transposed, [K, M]
        return math.prod(inputs[0]) * output[-1]
    if operation in ("MatMul", "MatMulInteger", "QLinearMatMul"):
        return math.prod(output) * inputs[0][-1]
    return 0
