"""Finding models, and refusing what is altered or breaks the contract."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tinymodel import card_of, tiny_graph, tiny_onnx, write_exported

from fmnist_cli.contract import CLASS_NAMES, INPUT_NAME, ModelCard
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.export.graph import GraphBuilder, canonical, serialize
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import ENV_VAR, find_models_dir, open_model, shipped_dir


def as_file(tmp_path: Path, content: bytes) -> Session:
    path = tmp_path / "given.onnx"
    path.write_bytes(content)
    return Session(open_model(str(path)))


# The store.


def test_a_model_is_opened_by_name_or_by_path(exported_dir: Path, tmp_path: Path) -> None:
    by_name = open_model("cnn", exported_dir)
    by_path = open_model(str(exported_dir / "cnn.onnx"))
    assert by_name.content == by_path.content
    assert by_name.entry is not None
    assert by_name.entry.title == "Tiny network"
    assert (by_path.name, by_path.entry) == ("cnn", None)


def test_places_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENV_VAR, raising=False)
    (tmp_path / "exported").mkdir()
    assert find_models_dir() == shipped_dir()  # a folder without manifest is not taken
    write_exported(tmp_path / "exported")
    assert find_models_dir() == Path("exported")
    monkeypatch.setenv(ENV_VAR, "elsewhere")
    assert find_models_dir() == Path("elsewhere")
    assert find_models_dir(Path("here")) == Path("here")


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    folder = write_exported(tmp_path)
    path = folder / "cnn.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        open_model("cnn", folder)
    message = str(caught.value)
    assert str(path) in message
    assert "SHA-256 differs" in message
    assert "fmnist export cnn" in message


def test_an_unknown_name_is_met_with_the_known_ones(exported_dir: Path) -> None:
    with pytest.raises(UsageError, match=r"no model called 'resnet'; it has: cnn\. .*\.onnx"):
        open_model("resnet", exported_dir)


def test_a_model_whose_file_is_gone_is_named(tmp_path: Path) -> None:
    folder = write_exported(tmp_path)
    (folder / "cnn.onnx").unlink()
    with pytest.raises(ModelError, match=r"cannot read the model .*cnn\.onnx: No such file"):
        open_model("cnn", folder)
    with pytest.raises(ModelError, match=r"cannot read the model nowhere\.onnx: No such file"):
        open_model("nowhere.onnx")


def test_a_folder_without_manifest_is_met_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no manifest\.json in .*run: fmnist export"):
        open_model("cnn", tmp_path)


@pytest.mark.parametrize("file", ["..", "../cnn.onnx", "/etc/passwd", "below/cnn.onnx"])
def test_a_manifest_does_not_reach_outside_its_folder(tmp_path: Path, file: str) -> None:
    folder = write_exported(tmp_path / "models")
    manifest = folder / "manifest.json"
    values = json.loads(manifest.read_text())
    values["models"]["cnn"]["file"] = file
    manifest.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="lies outside the folder"):
        open_model("cnn", folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("metrics", {"test": {}}), ("training", {}), ("bytes", "many"), ("file", 7), ("training", 3)],
)
def test_a_manifest_without_what_is_read_of_it_is_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    folder = write_exported(tmp_path / "models")
    manifest = folder / "manifest.json"
    values = json.loads(manifest.read_text())
    values["models"]["cnn"][field] = value
    manifest.write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"cannot read .*manifest\.json.*export the models again"):
        open_model("cnn", folder)


# The session.


def test_values_that_are_not_finite_are_no_answer(tmp_path: Path) -> None:
    graph = GraphBuilder()
    numbers = graph.add("Cast", INPUT_NAME, to=1)  # float32
    rows = graph.add("Reshape", numbers, graph.constant([0, -1], np.int64))
    first = graph.add("Gemm", rows, graph.constant(np.zeros((784, 10)), np.float32))
    nothing = graph.add("Div", first, first)  # 0 / 0
    session = as_file(tmp_path, serialize(canonical(graph.build(nothing, 10)), card_of("nan")))
    with pytest.raises(ModelError, match="not finite"):
        session(np.zeros((1, 28, 28), np.uint8))


def test_a_session_keeps_the_contract(exported_dir: Path) -> None:
    session = Session(open_model("cnn", exported_dir))
    assert session.card == card_of("cnn")
    pixels = np.random.default_rng(0).integers(0, 256, (33, 28, 28), dtype=np.uint8)
    probabilities = session(pixels)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (33, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        session.probabilities(pixels, batch_size=8), probabilities, atol=1e-6
    )
    np.testing.assert_allclose(session(pixels[:1]), probabilities[:1], atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"no model at all", tiny_onnx("cnn")[0][:300]])
def test_what_is_no_model_is_called_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match=r"given\.onnx is not a usable ONNX model"):
        as_file(tmp_path, content)


def signature(
    *,
    name: str = "pixels",
    kind: int = TensorProto.UINT8,
    shape: tuple[str | int, ...] = ("N", 28, 28),
    output: str = "probabilities",
) -> bytes:
    """A model of some other signature, with a good card."""
    result_kind = TensorProto.FLOAT if output == "probabilities" else TensorProto.DOUBLE
    nodes = [
        helper.make_node("Cast", [name], ["cast"], to=result_kind),
        helper.make_node("Flatten", ["cast"], [output]),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, shape)]
    outputs = [helper.make_tensor_value_info(output, result_kind, ["N", "classes"])]
    model = helper.make_model(
        helper.make_graph(nodes, "other", inputs, outputs),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    return serialize(model, card_of("other"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(signature(name="input"), id="input name"),
        pytest.param(signature(kind=TensorProto.FLOAT), id="input type"),
        pytest.param(signature(shape=("N", 1, 28, 28)), id="a channel axis"),
        pytest.param(signature(shape=("N", 32, 32)), id="size"),
        pytest.param(signature(shape=(1, 28, 28)), id="fixed batch"),
        pytest.param(signature(output="logits"), id="output"),
    ],
)
def test_another_signature_is_named_beside_the_expected_one(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        as_file(tmp_path, content)
    message = str(caught.value)
    assert "has another signature" in message
    assert "pixels uint8 [N, 28, 28] → probabilities float32 [N, classes]" in message


def tiny_model(card: dict[str, str]) -> bytes:
    model = tiny_graph().build("Softmax_5_0", len(CLASS_NAMES))
    if card:
        helper.set_model_props(model, card)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("damage", ["no card", "a field missing", "a field damaged"])
def test_a_model_without_its_card_is_refused(tmp_path: Path, damage: str) -> None:
    metadata = card_of("cnn").to_metadata()
    if damage == "no card":
        metadata.clear()
    elif damage == "a field missing":
        del metadata["class_names"]
    else:
        metadata["seed"] = "three"
    with pytest.raises(ModelError, match=r"has no readable model card \(.*fmnist export"):
        as_file(tmp_path, tiny_model(metadata))


def test_a_card_that_names_other_classes_than_the_graph_has_is_refused(tmp_path: Path) -> None:
    card = ModelCard(**{**card_of("cnn")._asdict(), "class_names": ("cat", "dog")})
    with pytest.raises(ModelError, match="has 10 outputs, but its model card names 2 classes"):
        as_file(tmp_path, tiny_model(card.to_metadata()))
