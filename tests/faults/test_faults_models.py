"""Graphs and cards that are not what a model has to be."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import Faulty
from onnx import TensorProto, helper, numpy_helper
from pictures import encoded, frame
from tinymodel import BOX, box_onnx, card_of, write_exported

from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session

MAKE = helper.make_node


def graph_of(
    nodes: list[Any], *constants: Any, card: dict[str, str] | None = None, columns: str | int = "C"
) -> bytes:
    """A model from `flat`, float32 [N, 784], to `probabilities`; not checked by onnx."""
    start = [MAKE("Cast", ["pixels"], ["levels"], to=1), MAKE("Flatten", ["levels"], ["flat"])]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [*start, *nodes],
        "faulty",
        [info("pixels", TensorProto.UINT8, ["N", 28, 28])],
        [info("probabilities", TensorProto.FLOAT, ["N", columns])],
        constants,
    )
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    helper.set_model_props(model, {**card_of("faulty").to_metadata(), **(card or {})})
    return bytes(model.SerializeToString())


def weights(columns: int, value: float = 0.0) -> Any:
    return numpy_helper.from_array(np.full((784, columns), value, np.float32), "weights")


def number(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


PRODUCT = MAKE("MatMul", ["flat", "weights"], ["product"])
SOFTMAX = MAKE("Softmax", ["product"], ["probabilities"])
ORDINARY = [PRODUCT, SOFTMAX]


def fault_of(content: bytes, tmp_path: Path) -> str:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Session(open_model(str(path)))
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_model_fails_at_run(fmnist: Faulty, tmp_path: Path) -> None:
    """exit 1, one error that names the model; no row, as no picture is at fault"""
    grown = MAKE("Reshape", ["product", "shape"], ["probabilities"])
    content = graph_of([PRODUCT, grown], weights(10), number("shape", [3, 10]))
    (tmp_path / "model.onnx").write_bytes(content)
    (tmp_path / "a.png").write_bytes(encoded(frame()))
    outcome = fmnist("classify", "a.png", "-m", "model.onnx")
    assert (outcome.code, outcome.out) == (1, b"")
    assert outcome.said.startswith("error: model.onnx fails while it runs")


def test_model_fails_on_two_pictures(tmp_path: Path) -> None:
    """ModelError when it is loaded"""
    soft = MAKE("Softmax", ["product"], ["soft"])
    one = MAKE("Reshape", ["soft", "shape"], ["probabilities"])
    content = graph_of([PRODUCT, soft, one], weights(10), number("shape", [1, 10]))
    assert "fails while it runs" in fault_of(content, tmp_path)


def test_model_of_too_many_columns(tmp_path: Path) -> None:
    """ModelError that says how many classes the card has"""
    nodes = [  # a shape that nobody knows before it runs
        MAKE("ReduceSum", ["levels"], ["sum"], keepdims=0),
        MAKE("Cast", ["sum"], ["whole"], to=TensorProto.INT64),
        MAKE("Mul", ["whole", "zero"], ["nothing"]),
        MAKE("Add", ["nothing", "shape"], ["grown"]),
        PRODUCT,
        MAKE("Reshape", ["product", "grown"], ["columns"]),
        MAKE("Softmax", ["columns"], ["probabilities"]),
    ]
    constants = weights(12), number("zero", 0), number("shape", [-1, 12])
    said = fault_of(graph_of(nodes, *constants), tmp_path)
    assert "gives 12 probabilities, but its model card names 10 classes" in said


def test_model_of_one_row_for_all(tmp_path: Path) -> None:
    """ModelError that says the shape"""
    mean = MAKE("ReduceMean", ["product", "axis"], ["row"])
    nodes = [PRODUCT, mean, MAKE("Softmax", ["row"], ["probabilities"])]
    said = fault_of(graph_of(nodes, weights(10), number("axis", [0])), tmp_path)
    assert "probabilities float32 [1, 10] for 2 pictures" in said


@pytest.mark.parametrize("value", [1.0, -1.0, 1e30])
def test_model_without_probabilities(value: float, tmp_path: Path) -> None:
    """ModelError: rows do not lie in 0…1 and sum to 1"""
    product = MAKE("MatMul", ["flat", "weights"], ["probabilities"])
    assert "do not lie in 0…1" in fault_of(graph_of([product], weights(10, value)), tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_model_not_finite(value: float, tmp_path: Path) -> None:
    """ModelError: values that are not finite"""
    added = MAKE("Add", ["product", "more"], ["probabilities"])
    content = graph_of([PRODUCT, added], weights(10), number("more", np.float32(value)))
    assert "not finite" in fault_of(content, tmp_path)


def test_model_of_a_manifest_that_fails(tmp_path: Path) -> None:
    """exit 1, no row: a foreign folder's checksums vouch for nothing"""
    folder = write_exported(tmp_path / "models")
    grown = MAKE("Reshape", ["product", "shape"], ["probabilities"])
    content = graph_of([PRODUCT, grown], weights(10), number("shape", [3, 10]))
    _replace_model(folder, content)
    with pytest.raises(ModelError, match="fails while it runs"):
        Session(open_model("cnn", folder))


def _replace_model(folder: Path, content: bytes) -> None:
    (folder / "cnn.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["models"]["cnn"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def external(name: str, columns: int = 10) -> Any:
    tensor = weights(columns)
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", name), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph"])
def test_model_with_external_data(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ModelError: external data, also if the file is there"""
    monkeypatch.chdir(tmp_path)
    Path("w.bin").write_bytes(bytes(784 * 10 * 4))
    tensor = external("w.bin")
    if where == "initializer":
        content = graph_of(ORDINARY, tensor)
    elif where == "attribute":
        content = graph_of([MAKE("Constant", [], ["weights"], value=tensor), *ORDINARY])
    else:
        info = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [784, 10])
        tensor.name = "inner"
        branch = helper.make_graph([], "branch", [], [info], [tensor])
        choice = MAKE("If", ["yes"], ["weights"], then_branch=branch, else_branch=branch)
        content = graph_of([choice, *ORDINARY], number("yes", True))
    assert "(external data)" in fault_of(content, tmp_path)


def test_model_whose_names_say_location(tmp_path: Path) -> None:
    """runs: only tensors that lie elsewhere are refused"""
    path = tmp_path / "model.onnx"
    path.write_bytes(graph_of(ORDINARY, weights(10), card={"title": "by location"}))
    assert Session(open_model(str(path))).card.title == "by location"


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "huge"])
def test_model_that_is_no_file(kind: str, tmp_path: Path) -> None:
    """ModelError at once, nothing is read"""
    path = tmp_path / "model.onnx"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 32)
    with pytest.raises(ModelError, match=r"no ordinary file|less than 2 GiB"):
        open_model(str(path))


@pytest.mark.parametrize(
    "card",
    [
        {"class_names": "[" * 100_000},
        {"class_names": '["\\ud800", "b"]'},
        {"class_names": '[["a"], {}]'},
        {"class_names": "[]"},
        {"test_accuracy": "NaN"},
        {"seed": "true"},
        {"temperature": "1e999"},
        {"novelty_limits": '{"much": 1}'},
        {"novelty_limits": '{"0.5": []}'},
        {"input": '{"height": 28, "width": 28, "color": []}'},
    ],
)
def test_card_that_is_none(card: dict[str, str], tmp_path: Path) -> None:
    """ModelError: no readable model card"""
    assert "no readable model card" in fault_of(
        graph_of(ORDINARY, weights(10), card=card), tmp_path
    )


def test_card_that_is_not_utf8(tmp_path: Path) -> None:
    """ModelError, whatever is no text"""
    content = graph_of(ORDINARY, weights(10)).replace(b"Tiny network", b"Tiny\xff\xfe\xfd\xfc\xfb")
    assert "model.onnx" in fault_of(content, tmp_path)


@pytest.mark.parametrize("fill", ["grey", -1, 256, None])
def test_card_with_a_faulty_parameter(fill: Any, tmp_path: Path) -> None:
    """ModelError: the fill is no grey level"""
    said = fault_of(box_onnx(spec=BOX._replace(params={"fill": fill})), tmp_path)
    assert "is no" in said
