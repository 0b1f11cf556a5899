"""A model of the registry that wants another input: pictures of 64×48 in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tinymodel import card_of
from torch import nn

from fmnist_cli.contract import InputSpec, ModelCard, Pixels
from fmnist_cli.export.convert import convert_pictures
from fmnist_cli.export.graph import halved, serialize
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.models.network import PictureClassifier, PictureNetwork
from fmnist_cli.models.registry import REGISTRY, ModelSpec, PictureRecipe

INPUT = InputSpec(48, 64, "rgb", "letterbox", {"fill": 127})
SPEC = ModelSpec("toy", "Toy of another input", "pictures", "toypictures", 1e-4, INPUT)
NAMES = ("Top", "Shoe", "Bag")
CARD: ModelCard = card_of("toy", NAMES)._replace(test_accuracy=None, input=INPUT)
RECIPE = PictureRecipe(
    epochs=15,
    batch_size=10,
    learning_rate=0.05,
    ema_decay=0.8,
    made_up=0.0,
    folds=2,
    judged=2,
    frozen=0,
    erase=0.0,
)
RECIPES = {"quick": RECIPE, "standard": RECIPE, "best": RECIPE}
COLORS = {
    "t-shirt": (220, 40, 40),
    "pants": (40, 60, 220),
    "shoes": (240, 230, 60),
    "hat": (0, 160, 0),
}


def build(classes: int = 10) -> PictureNetwork:
    """A backbone of a convolution and a separable one."""
    backbone = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(
            nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        ),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return PictureNetwork(backbone, 16, classes)


def start(network: PictureNetwork, class_names: Sequence[str]) -> None:
    """There are no weights to start from."""


def write_pictures(root: Path, counts: Mapping[str, int], seed: int = 0) -> Path:
    """JPEGs of 90×120 in folders that differ by colour."""
    rng = np.random.default_rng(seed)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(90, 160, (120, 90, 3)).astype(np.uint8)
            pixels[20:100, 15:75] = COLORS[folder][::-1]  # OpenCV writes BGR
            cv2.imwrite(str(root / folder / f"{index:03d}.jpg"), pixels)
    return root


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it a model of the registry."""
    monkeypatch.setitem(REGISTRY, SPEC.name, SPEC)


def classifier() -> PictureClassifier:
    """A seeded network whose normalisations do something."""
    torch.manual_seed(6)
    made = PictureClassifier(build(len(NAMES)), INPUT.shape)
    for parameter in made.parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1)
    for _ in range(40):  # until the running statistics are those of the pictures
        made.logits(torch.from_numpy(pictures(16)))
    return made.eval()


def pictures(count: int) -> Pixels:
    """Noise of one colour each, uint8 [count, 48, 64, 3]."""
    rng = np.random.default_rng(1)
    tints = rng.uniform(0, 1, (count, 1, 1, 3))
    return (tints * rng.integers(0, 256, (count, *INPUT.shape))).astype(np.uint8)


def file_of(network: PictureClassifier, folder: Path) -> ModelFile:
    """Its file in a folder, the weights in half precision."""
    path = folder / "toy.onnx"
    path.write_bytes(serialize(halved(convert_pictures(network)), CARD))
    return ModelFile.of("toy", path, path.read_bytes())
