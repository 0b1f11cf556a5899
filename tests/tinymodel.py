"""A tiny model under the contract, and a folder as `fmnist export` leaves it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fmnist_cli.contract import (
    EMBEDDING_NAME,
    INPUT_NAME,
    NOVELTY_NAME,
    OUTPUT_NAME,
    InputSpec,
    ModelCard,
)
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.export.graph import GraphBuilder, canonical, count_parameters, serialize
from fmnist_cli.inference.ood import SHARES, GuardCard
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest


def card_of(name: str, class_names: tuple[str, ...] = CLASS_NAMES) -> ModelCard:
    return ModelCard(
        name=name,
        title="Tiny network",
        version="0.0.0",
        class_names=class_names,
        data_checksum="0" * 32,
        seed=3,
        preset="quick",
        test_accuracy=0.125,
        temperature=1.0,
        tolerance=1e-5,
    )


def tiny_graph(classes: int = len(CLASS_NAMES)) -> GraphBuilder:
    """A seeded linear softmax over the means of 4×4 blocks: quick, and no constant answer."""
    rng = np.random.default_rng(11)
    graph = GraphBuilder()
    numbers = graph.add("Cast", INPUT_NAME, to=1)  # float32
    planes = graph.add("Unsqueeze", numbers, graph.constant([1], np.int64))
    means = graph.add("AveragePool", planes, kernel_shape=[4, 4], strides=[4, 4])
    flat = graph.add("Reshape", means, graph.constant([-1, 49], np.int64))
    # Columns that sum to zero: the answer lies in where the light is, not in how much there is.
    table = rng.normal(size=(49, classes)) / 50
    weights = graph.constant(table - table.mean(axis=0), np.float32)
    graph.add("Softmax", graph.add("MatMul", flat, weights), axis=-1)
    return graph


def tiny_onnx(name: str, class_names: tuple[str, ...] = CLASS_NAMES) -> tuple[bytes, int]:
    """The bytes of the tiny model under the contract, and its number of parameters."""
    graph = tiny_graph(len(class_names))
    model = canonical(graph.build("Softmax_5_0", len(class_names)))
    return serialize(model, card_of(name, class_names)), count_parameters(model)


# A model in colour, of pictures that are higher than wide.
BOX = InputSpec(64, 48, "rgb", "letterbox", {"fill": 0})


def box_onnx(
    name: str = "photo", class_names: tuple[str, ...] = CLASS_NAMES, spec: InputSpec = BOX
) -> bytes:
    """A tiny model in colour that also says how novel a picture is, and its features.

    Its features are the mean colours of 3×4 parts; novel is what is bright: at a share of S the
    limit is a mean level of 100·S.
    """
    rng = np.random.default_rng(5)
    make = helper.make_node
    nodes = [
        make("Cast", [INPUT_NAME], ["levels"], to=TensorProto.FLOAT),
        make("Transpose", ["levels"], ["planes"], perm=[0, 3, 1, 2]),
        make("AveragePool", ["planes"], ["means"], kernel_shape=[16, 16], strides=[16, 16]),
        make("Reshape", ["means", "flat"], [EMBEDDING_NAME]),
        make("MatMul", [EMBEDDING_NAME, "weights"], ["logits"]),
        make("Softmax", ["logits"], [OUTPUT_NAME], axis=-1),
        make("ReduceMean", ["levels", "all"], [NOVELTY_NAME], keepdims=0),
    ]
    table = rng.normal(size=(36, len(class_names))) / 50
    constants = [
        numpy_helper.from_array((table - table.mean(axis=0)).astype(np.float32), "weights"),
        numpy_helper.from_array(np.array([-1, 36]), "flat"),
        numpy_helper.from_array(np.array([1, 2, 3]), "all"),
    ]
    info = helper.make_tensor_value_info
    outputs = [
        info(OUTPUT_NAME, TensorProto.FLOAT, ["N", len(class_names)]),
        info(NOVELTY_NAME, TensorProto.FLOAT, ["N"]),
        info(EMBEDDING_NAME, TensorProto.FLOAT, ["N", 36]),
    ]
    pixels = info(INPUT_NAME, TensorProto.UINT8, ["N", 64, 48, 3])
    graph = helper.make_graph(nodes, "box", [pixels], outputs, constants)
    opset = [helper.make_opsetid("", 20)]
    card = card_of(name, class_names)._replace(
        title="Tiny box", input=spec, novelty_limits={"0.5": 50.0, "0.95": 95.0, "0.999": 99.9}
    )
    return serialize(helper.make_model(graph, opset_imports=opset, ir_version=10), card)


def write_exported(
    folder: Path, name: str = "cnn", class_names: tuple[str, ...] = CLASS_NAMES
) -> Path:
    """A folder as `fmnist export` leaves it, with one model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_FILE).write_text(Manifest({}).to_json(), encoding="utf-8")
    return add_model(folder, name, *tiny_onnx(name, class_names))


def add_model(folder: Path, name: str, content: bytes, parameters: int = 360) -> Path:
    """Put one more model into a folder."""
    card = {prop.key: prop.value for prop in onnx.load_from_string(content).metadata_props}
    entry = Entry(
        file=f"{name}.onnx",
        title="Tiny network",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=parameters,
        metrics={"test": {"images": 8, "accuracy": 0.125, "loss": 2.5}},
        verification={"max_difference": 0.0},
        training={"preset": "quick", "seed": 3, "seconds": 1.0},
        card=card if "input" in card else None,  # as 0.1 left it
    )
    (folder / entry.file).write_bytes(content)
    known = Manifest.read(folder)
    manifest = known._replace(models={**known.models, name: entry})
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return folder


def write_both(folder: Path) -> Path:
    """A folder with the models that ``auto`` stands for."""
    return add_model(write_exported(folder, "resnet"), "photo", box_onnx())


def tiny_guard(class_names: tuple[str, ...] = CLASS_NAMES) -> bytes:
    """A guard to which bright frames are strange.

    At a share of S the limit is a mean of 100·S for frames and of 200·S for all else.
    """
    graph = GraphBuilder()
    numbers = graph.add("Cast", INPUT_NAME, to=1)  # float32
    axes = graph.constant([1, 2], np.int64)
    means = graph.add("ReduceMean", numbers, axes, keepdims=0)
    quantiles = {
        "frame": tuple(100 * share for share in SHARES),
        "photo": tuple(200 * share for share in SHARES),
    }
    model = canonical(graph.build(means, None))
    return serialize(model, GuardCard("0.0.0", class_names, quantiles))


def add_guard(folder: Path, content: bytes | None = None) -> Path:
    """Put a guard beside the models of a folder."""
    content = content or tiny_guard()
    (folder / "guard.onnx").write_bytes(content)
    part = Entry(
        file="guard.onnx",
        title="Tiny guard",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=0,
        metrics={},
    )
    known = Manifest.read(folder)
    manifest = known._replace(parts={**known.parts, "guard": part})
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return folder
