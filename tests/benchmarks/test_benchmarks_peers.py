"""The peers do the same work as we do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from harness import weights
from harness.labels import agreement, labels_of
from harness.rounds import run
from peers.network import build

from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import open_model, shipped_dir

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_the_network_in_pytorch_predicts_as_the_exported_graph(model: str) -> None:
    file = open_model(model)
    classifier = weights.classifier_of(onnx.load_from_string(file.content).graph, model)
    assert weights.largest_difference(classifier, Session(file), PIXELS) < 1e-5


def test_other_weights_are_refused(tmp_path: Path) -> None:
    file = open_model("cnn")
    assert weights.largest_difference(build("cnn"), Session(file), PIXELS) > weights.ATOL
    with pytest.raises((SystemExit, ValueError)):
        weights.classifier_of(onnx.load_from_string(file.content).graph, "resnet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for index, pixels in enumerate(PIXELS):
        name = f"below/{index}.png" if index % 2 else f"{index}.png"
        cv2.imwrite(str(folder / name), pixels)
    return folder


def test_all_scripts_give_the_same_labels(folder: Path, tmp_path: Path) -> None:
    weights.write_weights("cnn", PIXELS, tmp_path / "cnn.pt")
    python, graph = [sys.executable, "-m"], (shipped_dir() / "cnn.onnx").resolve()
    outputs = {name: tmp_path / f"{name}.jsonl" for name in ("torch", "pillow", "ours")}
    network = [tmp_path / "cnn.pt", "cnn"]
    commands: list[list[str | Path]] = [
        [*python, "peers.torch_loader", folder, *network, outputs["torch"], "--workers", "0"],
        [*python, "peers.pillow_onnx", folder, graph, outputs["pillow"]],
        [*python, "peers.roofline", folder, "cnn", "frame"],
    ]
    reports = [run(command).report for command in commands]
    assert [report["images"] for report in reports] == [len(PIXELS)] * 3
    options = ["-m", "cnn", "--prepare", "frame", "-q"]
    assert run([*python, "peers.ours", folder, outputs["ours"], *options]).report["seconds"] > 0
    ours = labels_of(outputs["ours"])
    assert len(ours) == len(PIXELS)
    assert agreement(ours, labels_of(outputs["torch"])) == 1
    assert agreement(ours, labels_of(outputs["pillow"])) == 1
    for line in outputs["torch"].read_text().splitlines():
        assert 0 < json.loads(line)["confidence"] <= 1


def test_the_peer_reads_weights_without_pickle(tmp_path: Path) -> None:
    weights.write_weights("cnn", PIXELS, tmp_path / "cnn.pt")
    assert torch.load(tmp_path / "cnn.pt", weights_only=True)["mean"] > 0
