"""A tiny model under the contract, and a folder as `fmnist export` leaves it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from fmnist_cli.contract import CLASS_NAMES, INPUT_NAME, NOVELTY_NAME, ModelCard
from fmnist_cli.export.graph import GraphBuilder, canonical, count_parameters, serialize
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest, Part
from fmnist_cli.runtime.guard import SHARES, GuardCard


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


def write_exported(
    folder: Path, name: str = "cnn", class_names: tuple[str, ...] = CLASS_NAMES
) -> Path:
    """A folder as `fmnist export` leaves it, with one model."""
    folder.mkdir(parents=True, exist_ok=True)
    content, parameters = tiny_onnx(name, class_names)
    entry = Entry(
        file=f"{name}.onnx",
        title="Tiny network",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=parameters,
        metrics={"test": {"images": 8, "accuracy": 0.125, "loss": 2.5}},
        verification={"max_difference": 0.0},
        training={"preset": "quick", "seed": 3, "seconds": 1.0},
    )
    (folder / entry.file).write_bytes(content)
    (folder / MANIFEST_FILE).write_text(Manifest({name: entry}).to_json(), encoding="utf-8")
    return folder


def isolate_onnx() -> bytes:
    """A graph in the form of isolate.onnx: what is as good as red is garment."""
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["levels", "0", "1", "3"], ["red"]),
        helper.make_node("Slice", ["levels", "1", "2", "3"], ["green"]),
        helper.make_node("Sub", ["red", "green"], ["difference"]),
        helper.make_node("Squeeze", ["difference", "3"], ["plane"]),
        helper.make_node("Greater", ["plane", "least"], ["is_red"]),
        helper.make_node("Cast", ["is_red"], ["mask"], to=TensorProto.FLOAT),
    ]
    whole = [helper.make_tensor(str(n), TensorProto.INT64, [1], [n]) for n in (0, 1, 2, 3)]
    least = helper.make_tensor("least", TensorProto.FLOAT, [], [60.0])
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 128, 128, 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["N", 128, 128])
    graph = helper.make_graph(nodes, "isolate", [image], [mask], [*whole, least])
    opset = [helper.make_opsetid("", 17)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opset, ir_version=9)
    return model.SerializeToString()


def add_isolate(folder: Path) -> Path:
    """Add the part `isolate` to a folder of models."""
    content = isolate_onnx()
    sha256 = hashlib.sha256(content).hexdigest()
    part = Part("isolate.onnx", "What is red", sha256, len(content), 1, {}, {})
    (folder / part.file).write_bytes(content)
    known = Manifest.read(folder)
    manifest = known._replace(parts={**known.parts, "isolate": part})
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return folder


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
    model = canonical(graph.build_guard(means), (INPUT_NAME, NOVELTY_NAME))
    return serialize(model, GuardCard("0.0.0", class_names, quantiles))


def add_guard(folder: Path, content: bytes | None = None) -> Path:
    """Put a guard beside the models of a folder."""
    content = content or tiny_guard()
    (folder / "guard.onnx").write_bytes(content)
    part = Part(
        file="guard.onnx",
        title="Tiny guard",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=0,
        metrics={},
        training={},
    )
    known = Manifest.read(folder)
    manifest = known._replace(parts={**known.parts, "guard": part})
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return folder
