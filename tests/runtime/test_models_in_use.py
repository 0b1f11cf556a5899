"""Finding models, and refusing what is altered or breaks the contract."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tinymodel import (
    BOX,
    add_guard,
    add_model,
    box_onnx,
    card_of,
    tiny_graph,
    tiny_onnx,
    write_both,
    write_exported,
)

from fmnist_cli.contract import INPUT_NAME, InputSpec, ModelCard, Pixels
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FRAME_SPEC
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.export.graph import GraphBuilder, canonical, serialize
from fmnist_cli.inference.models import (
    ENV_VAR,
    find_model,
    find_models_dir,
    open_model,
    open_part,
    shipped_dir,
)
from fmnist_cli.inference.session import LazySession, Session, batch_of
from fmnist_cli.manifest import Manifest


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


def test_the_shipped_models_are_always_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write_exported(tmp_path / "own", "mine")
    shipped = add_guard(write_exported(tmp_path / "shipped", "resnet"))
    monkeypatch.setattr("fmnist_cli.inference.models.shipped_dir", lambda: shipped)
    assert find_model("mine", own).folder == own
    assert find_model("resnet", own).folder == shipped
    assert open_part("guard", own).path.parent == shipped
    add_guard(own)
    assert open_part("guard", own).path.parent == own
    add_model(own, "resnet", box_onnx("resnet"))
    assert find_model("resnet", own).folder == own
    with pytest.raises(ModelError, match=r"no manifest\.json"):
        find_model("resnet", tmp_path)  # a folder that was named is meant


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
    with pytest.raises(UsageError, match=r"no model called 'vit'; .* has: cnn; .* has: .*\.onnx"):
        open_model("vit", exported_dir)


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
    with pytest.raises(ModelError, match="not finite"):
        as_file(tmp_path, serialize(canonical(graph.build(nothing, 10)), card_of("nan")))


def test_a_session_keeps_the_contract(exported_dir: Path) -> None:
    session = Session(open_model("cnn", exported_dir))
    assert session.card == card_of("cnn")._replace(input=FRAME_SPEC)
    assert session.spec == FRAME_SPEC
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
        helper.make_node("Flatten", ["cast"], ["flat"]),
        helper.make_node("Softmax", ["flat"], [output]),
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
        pytest.param(signature(shape=("N", 28, 28, 4)), id="channels"),
        pytest.param(signature(shape=("N", "height", 28)), id="no size"),
        pytest.param(signature(shape=(1, 28, 28)), id="fixed batch"),
        pytest.param(signature(output="logits"), id="output"),
    ],
)
def test_another_signature_is_named_beside_the_expected_one(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        as_file(tmp_path, content)
    message = str(caught.value)
    assert "has another signature" in message
    assert "pixels uint8 [N, height, width] or [N, height, width, 3]" in message
    assert "→ probabilities float32 [N, classes]" in message


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


# Models of other pictures than frames.


def boxes(count: int) -> Pixels:
    return np.random.default_rng(2).integers(0, 256, (count, 64, 48, 3), dtype=np.uint8)


def test_a_session_gives_what_it_is_asked_for(tmp_path: Path) -> None:
    session = as_file(tmp_path, box_onnx())
    assert session.spec == session.card.input == BOX
    assert session.gives == {"probabilities", "novelty", "embedding"}
    pixels = boxes(5)
    probabilities = session(pixels)
    plain = session.outputs(pixels)
    assert (plain.novelty, plain.embedding) == (None, None)
    np.testing.assert_array_equal(plain.probabilities, probabilities)
    both = session.outputs(pixels, novelty=True, embedding=True)
    assert both.novelty is not None
    assert both.embedding is not None
    assert both.novelty == pytest.approx(pixels.mean(axis=(1, 2, 3)), rel=1e-5)
    assert (both.embedding.dtype, both.embedding.shape) == (np.float32, (5, 36))
    assert session.outputs(pixels, novelty=True).embedding is None
    np.testing.assert_array_equal(session.probabilities(pixels, 2), probabilities)


def test_a_session_of_frames_has_nothing_more(exported_dir: Path) -> None:
    session = Session(open_model("cnn", exported_dir))
    said = session.outputs(np.zeros((2, 28, 28), np.uint8), novelty=True, embedding=True)
    assert (said.novelty, said.embedding) == (None, None)


def test_a_model_of_0_1_says_its_size_by_its_graph(tmp_path: Path) -> None:
    session = as_file(tmp_path, signature(shape=("N", 1, 10)))
    assert session.spec == FRAME_SPEC._replace(height=1, width=10)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (BOX._replace(height=48, width=64), r"shape \[64, 48, 3\], but .* \[48, 64, 3\]"),
        (BOX._replace(color="grey"), r"but its model card says \[64, 48\]"),
        (BOX._replace(preprocessing="auto"), "'frame' makes no rgb pixels"),
        (BOX._replace(preprocessing="crop"), "'crop' is unknown"),
    ],
)
def test_a_card_that_is_at_odds_with_its_graph_is_refused(
    tmp_path: Path, spec: InputSpec, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        as_file(tmp_path, box_onnx(spec=spec))


def test_batches_of_large_pictures_are_small() -> None:
    assert batch_of(FRAME_SPEC) == 250
    assert batch_of(FRAME_SPEC, 64) == 64
    assert batch_of(BOX._replace(height=224, width=224)) == 6
    assert batch_of(BOX._replace(height=2240, width=2240)) == 2


def test_the_shipped_manifest_has_the_cards_of_its_files() -> None:
    known = Manifest.read(shipped_dir()).models
    assert known["resnet"].card
    assert known["photo"].card
    for name, entry in known.items():
        if entry.card is not None:
            assert entry.card == {
                p.key: p.value for p in onnx.load(find_model(name).path).metadata_props
            }


def test_a_damaged_card_in_a_manifest_is_an_error(tmp_path: Path) -> None:
    found = find_model("photo", write_both(tmp_path))
    for card in ({}, {**(found.entry.card or {}), "input": "[]"}, {"name": "photo"}):
        with pytest.raises(ModelError, match="has no readable model card"):
            LazySession(found._replace(entry=found.entry._replace(card=card)))


def test_a_card_of_the_manifest_that_is_not_the_files_gives_no_rows(tmp_path: Path) -> None:
    found = find_model("photo", write_both(tmp_path))
    card = ModelCard.from_metadata(found.entry.card or {})
    other = card._replace(class_names=card.class_names[::-1]).to_metadata()
    lazy = LazySession(found._replace(entry=found.entry._replace(card=other)))
    for _ in range(2):
        with pytest.raises(ModelError, match="is not the one in"):
            lazy.outputs(boxes(2))


def test_a_lazy_session_reads_its_file_when_it_is_asked(tmp_path: Path) -> None:
    folder = write_both(tmp_path)
    lazy = LazySession(find_model("photo", folder))
    eager = Session(open_model("photo", folder))
    assert (lazy.card, lazy.spec) == (eager.card, eager.spec)
    assert LazySession(find_model("resnet", folder)).spec == FRAME_SPEC
    content = (folder / "photo.onnx").read_bytes()
    (folder / "photo.onnx").write_bytes(content[:-1])
    with pytest.raises(ModelError, match="SHA-256 differs"):
        lazy.outputs(boxes(2))
    (folder / "photo.onnx").write_bytes(content)
    np.testing.assert_array_equal(lazy.outputs(boxes(2)).probabilities, eager(boxes(2)))
    (folder / "photo.onnx").unlink()
    lazy.outputs(boxes(2))
    with pytest.raises(UsageError, match="choose from cpu"):
        LazySession(find_model("resnet", folder), "abacus")
