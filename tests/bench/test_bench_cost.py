"""Multiply-adds and memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tinymodel import card_of, tiny_onnx

from fmnist_cli.bench.measure import count_macs, macs_of
from fmnist_cli.bench.rounds import peak_memory_bytes
from fmnist_cli.contract import INPUT_NAME
from fmnist_cli.errors import ModelError
from fmnist_cli.export.graph import GraphBuilder, serialize
from fmnist_cli.inference.models import ModelFile

KNOWS_ITS_PEAK = pytest.mark.skipif(
    not sys.platform.startswith(("linux", "darwin")), reason="this system does not tell the peak"
)


def convolutional() -> bytes:
    """A strided, a grouped and a plain convolution, then a transposed matrix product."""
    rng = np.random.default_rng(0)
    graph = GraphBuilder()

    def weights(*shape: int) -> str:
        return graph.constant(rng.normal(size=shape) / 1e3, np.float32)

    plane = graph.add("Unsqueeze", graph.add("Cast", INPUT_NAME, to=1), graph.constant([1], "i8"))
    wide = graph.add("Conv", plane, weights(8, 1, 4, 4), strides=[4, 4])  # 7×7
    grouped = graph.add("Conv", wide, weights(8, 2, 3, 3), group=4)  # 5×5
    single = graph.add("Conv", graph.add("Relu", grouped), weights(6, 8, 1, 1))
    flat = graph.add("Reshape", single, graph.constant([-1, 150], np.int64))
    logits = graph.add("Gemm", flat, weights(10, 150), transB=1)
    model = graph.build(graph.add("Softmax", logits, axis=-1), 10)
    return serialize(model, card_of("conv"))


def test_products_of_a_graph_are_counted_by_hand_and_by_running_it() -> None:
    file = ModelFile.of("conv", Path("conv.onnx"), convolutional())
    by_hand = 8 * 49 * 16 + 8 * 25 * 2 * 9 + 6 * 25 * 8 + 150 * 10
    assert count_macs(file) == by_hand == 12_572


@pytest.mark.parametrize(
    ("operation", "inputs", "output", "expected"),
    [
        ("Gemm", [[5, 7], [7, 3]], [5, 3], 105),
        ("Gemm", [[7, 5], [7, 3]], [5, 3], 105),  # the first transposed
        ("MatMul", [[2, 5, 7], [7, 3]], [2, 5, 3], 210),
        ("Conv", [[1, 4, 8, 8], [6, 2, 3, 3]], [1, 6, 6, 6], 6 * 36 * 18),
        ("Relu", [[1, 10]], [1, 10], 0),
        ("TreeEnsembleClassifier", [[1, 784]], [1], 0),
    ],
)
def test_products_of_a_node(
    operation: str, inputs: Sequence[Sequence[int]], output: Sequence[int], expected: int
) -> None:
    assert macs_of(operation, inputs, output) == expected


@KNOWS_ITS_PEAK
def test_memory_is_that_of_the_model_not_of_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx("tiny")[0])
    held = np.ones(400_000_000, np.uint8)  # a child must not inherit this peak
    peak = peak_memory_bytes(path, threads=1, batch_size=4)
    assert held[-1] == 1
    assert peak is not None
    assert 10e6 < peak < 300e6


@KNOWS_ITS_PEAK
def test_a_larger_model_needs_more_memory(tmp_path: Path) -> None:
    def peak_of(hidden: int) -> int:
        graph = GraphBuilder()
        flat = graph.add("Reshape", INPUT_NAME, graph.constant([-1, 784], np.int64))
        pixels = graph.add("Cast", flat, to=1)
        first = graph.constant(np.full((784, hidden), 1e-6), np.float32)
        second = graph.constant(np.full((hidden, 10), 1e-6), np.float32)
        logits = graph.add("MatMul", graph.add("MatMul", pixels, first), second)
        model = graph.build(graph.add("Softmax", logits, axis=-1), 10)
        path = tmp_path / f"{hidden}.onnx"
        path.write_bytes(serialize(model, card_of("wide")))
        return peak_memory_bytes(path, threads=1, batch_size=4) or 0

    weights_bytes = 784 * 4 * 10_000
    assert peak_of(10_000) - peak_of(10) > weights_bytes


def test_a_process_that_cannot_run_the_model_says_so(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"broken\.onnx ended with exit code 1: .*not a usable"):
        peak_memory_bytes(path, threads=1, batch_size=4)
