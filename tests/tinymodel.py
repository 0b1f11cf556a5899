"""A tiny model under the contract, and a folder as `fmnist export` leaves it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

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


def tiny_onnx(name: str) -> tuple[bytes, int]:
    """The bytes of the tiny model under the contract, and its number of parameters."""
    graph = tiny_graph()
    model = canonical(graph.build("Softmax_5_0", len(CLASS_NAMES)))
    return serialize(model, card_of(name)), count_parameters(model)


def write_exported(folder: Path, name: str = "cnn") -> Path:
    """A folder as `fmnist export` leaves it, with one model."""
    folder.mkdir(parents=True, exist_ok=True)
    content, parameters = tiny_onnx(name)
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
    manifest = Manifest.read(folder)._replace(parts={"guard": part})
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return folder
