"""A tiny model under the contract, and a folder as `fmnist export` leaves it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from fmnist_cli.contract import CLASS_NAMES, INPUT_NAME, ModelCard
from fmnist_cli.export.graph import GraphBuilder, canonical, count_parameters, serialize
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
