"""A folder with two tiny exported models, and one with a few labelled test images."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from idxfiles import write_idx
from tinymodel import box_onnx

from fmnist_cli.contract import INPUT_NAME, ModelCard
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, SIDE, TEST_IMAGES, TEST_LABELS
from fmnist_cli.export.graph import GraphBuilder, count_parameters, serialize
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest


def _linear(name: str, seed: int, class_names: tuple[str, ...] = CLASS_NAMES) -> tuple[bytes, int]:
    classes = len(class_names)
    weights = np.random.default_rng(seed).normal(size=(SIDE * SIDE, classes))
    graph = GraphBuilder()
    scaled = graph.add("Cast", INPUT_NAME, to=1)
    flat = graph.add("Reshape", scaled, graph.constant([-1, SIDE * SIDE], np.int64))
    logits = graph.add("MatMul", flat, graph.constant(weights / 1e4, np.float32))
    model = graph.build(graph.add("Softmax", logits, axis=-1), classes)
    card = ModelCard(name, name.title(), "0", class_names, "0" * 32, 0, "quick", 0.1, 1.0, 1e-5)
    return serialize(model, card), count_parameters(model)


@pytest.fixture
def tiny_models(tmp_path: Path) -> Path:
    """Models `one` and `two` with a manifest; outside it `other.onnx`, of two classes, and
    `colour.onnx`, of colour pictures."""
    folder = tmp_path / "models"
    folder.mkdir()
    entries = {}
    for seed, name in enumerate(("one", "two")):
        content, parameters = _linear(name, seed)
        (folder / f"{name}.onnx").write_bytes(content)
        entries[name] = Entry(
            file=f"{name}.onnx",
            title=name.title(),
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            parameters=parameters,
            metrics={"test": {"images": 8, "accuracy": 0.125, "loss": 2.5}},
            verification={},
            training={"preset": "quick", "seed": 3, "seconds": 1.0},
        )
    (folder / MANIFEST_FILE).write_text(Manifest(entries).to_json(), encoding="utf-8")
    (folder / "other.onnx").write_bytes(_linear("other", 2, ("left", "right"))[0])
    (folder / "colour.onnx").write_bytes(box_onnx("colour"))
    return folder


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """The test files with 40 random images."""
    folder = tmp_path / "data"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, SIDE, SIDE), dtype=np.uint8)
    write_idx(folder / TEST_IMAGES.name, pixels)
    write_idx(folder / TEST_LABELS.name, (np.arange(40) % 10).astype(np.uint8))
    return folder
