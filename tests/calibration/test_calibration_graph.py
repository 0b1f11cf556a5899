"""A curve in a graph says what it says outside, and can be read back and taken away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tinymodel import card_of, tiny_graph

from fmnist_cli.calibration import Curve, ends_in_softmax, with_curve, without_curve
from fmnist_cli.contract import Probabilities
from fmnist_cli.export.graph import canonical, serialize
from fmnist_cli.inference.models import ModelFile, open_model, shipped_dir
from fmnist_cli.inference.session import Session

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
CURVE = Curve((0.0, 0.4, 0.8, 1.2), (0.7, 1.3, 0.2, 2.5))


def network() -> onnx.ModelProto:
    return canonical(tiny_graph().build("Softmax_5_0", 10))


def voter() -> onnx.ModelProto:
    """Shares of positive numbers, without a softmax; some are 0."""
    graph = tiny_graph()
    votes = graph.add("Relu", "MatMul_4_0")
    some = graph.add("Add", votes, graph.constant([0.0] * 9 + [1e-6], np.float32))
    total = graph.add("ReduceSum", some, graph.constant([1], np.int64), keepdims=1)
    return canonical(graph.build(graph.add("Div", some, total), 10))


def said(model: onnx.ModelProto) -> Probabilities:
    content = serialize(canonical(model), card_of("cnn"))
    return Session(ModelFile.of("cnn", Path("cnn.onnx"), content))(PIXELS)


@pytest.mark.parametrize(("model", "floor"), [(network(), None), (voter(), 0.01)])
def test_the_graph_says_what_the_curve_says(model: onnx.ModelProto, floor: float | None) -> None:
    curve = CURVE._replace(floor=floor)
    assert ends_in_softmax(model) == (floor is None)
    calibrated = canonical(with_curve(model, curve))
    np.testing.assert_allclose(said(calibrated), curve(said(model)), atol=1e-6)
    before, found = without_curve(calibrated)
    assert found == curve
    np.testing.assert_array_equal(said(before), said(model))


@pytest.mark.parametrize(("model", "floor"), [(network(), None), (voter(), 0.01)])
def test_a_second_curve_takes_the_place_of_the_first(
    model: onnx.ModelProto, floor: float | None
) -> None:
    once = canonical(with_curve(model, CURVE._replace(floor=floor)))
    other = canonical(with_curve(model, Curve((0.0, 1.0), (2.0, 3.0), floor)))
    again = canonical(with_curve(other, CURVE._replace(floor=floor)))
    card = card_of("cnn")
    assert serialize(again, card) == serialize(once, card)


@pytest.mark.parametrize("model", [network(), voter()])
def test_a_graph_without_a_curve_stays(model: onnx.ModelProto) -> None:
    same, curve = without_curve(model)
    assert curve is None
    assert same == model


@pytest.mark.parametrize("name", ["knn", "cnn", "hybrid"])
def test_shipped_graphs_have_the_curve_of_their_manifest(name: str) -> None:
    file = open_model(name, shipped_dir())
    assert file.entry is not None
    assert file.entry.calibration is not None
    _, curve = without_curve(onnx.load_from_string(file.content))
    assert curve is not None
    told = file.entry.calibration
    assert list(curve.knots) == told["knots"]
    assert list(curve.slopes) == told["slopes"]
    assert curve.floor == told["floor"]
