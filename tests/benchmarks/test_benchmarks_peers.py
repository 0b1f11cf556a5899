"""The peers do the same work as we do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from harness import weights
from harness.labels import agreement, labels_of
from harness.rounds import run

from fmnist_cli.inference.models import shipped_dir

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for index, pixels in enumerate(PIXELS):
        name = f"below/{index}.png" if index % 2 else f"{index}.png"
        cv2.imwrite(str(folder / name), pixels)
    return folder


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_all_scripts_give_the_same_labels(model: str, folder: Path, tmp_path: Path) -> None:
    assert weights.write_weights(model, PIXELS, tmp_path / "network.pt") < 1e-5
    python, graph = [sys.executable, "-m"], (shipped_dir() / f"{model}.onnx").resolve()
    outputs = {name: tmp_path / f"{name}.jsonl" for name in ("torch", "pillow", "ours")}
    network = [tmp_path / "network.pt", model]
    commands: list[list[str | Path]] = [
        [*python, "peers.torch_loader", folder, *network, outputs["torch"], "--workers", "0"],
        [*python, "peers.pillow_onnx", folder, graph, outputs["pillow"]],
        [*python, "peers.roofline", folder, model, "frame"],
    ]
    reports = [run(command).report for command in commands]
    assert [report["images"] for report in reports] == [len(PIXELS)] * 3
    options = ["-m", model, "--prepare", "frame", "-q"]
    assert run([*python, "peers.ours", folder, outputs["ours"], *options]).report["seconds"] > 0
    ours = labels_of(outputs["ours"])
    assert len(ours) == len(PIXELS)
    assert agreement(ours, labels_of(outputs["torch"])) == 1
    assert agreement(ours, labels_of(outputs["pillow"])) == 1
    rows = [
        sorted((row["path"], row["confidence"]) for row in map(json.loads, text.splitlines()))
        # Not PyTorch's, whose network has no calibration curve behind it.
        for text in (outputs["pillow"].read_text(), outputs["ours"].read_text())
    ]
    for theirs, own in zip(*rows, strict=True):
        assert theirs == (own[0], pytest.approx(own[1], abs=1e-4))


def test_the_peer_reads_weights_without_pickle(tmp_path: Path) -> None:
    weights.write_weights("cnn", PIXELS, tmp_path / "cnn.pt")
    assert torch.load(tmp_path / "cnn.pt", weights_only=True)["mean"] > 0
