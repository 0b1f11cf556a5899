"""A model of the registry that wants another input: pictures of 64×48 in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import nn

from fmnist_cli.contract import InputSpec
from fmnist_cli.models.network import PictureNetwork
from fmnist_cli.models.recipes import PictureRecipe
from fmnist_cli.models.registry import ModelSpec

INPUT = InputSpec(64, 48, "rgb", "letterbox", {"fill": 127})
SPEC = ModelSpec("toy", "Toy of another input", "pictures", "toypictures", 1e-4, INPUT)
RECIPE = PictureRecipe(
    epochs=15,
    batch_size=10,
    learning_rate=0.05,
    ema_decay=0.8,
    made_up=0.0,
    folds=2,
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
    """A backbone of two convolutions."""
    backbone = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
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
