"""What a guard learns from: known garments and drawn frames, as histograms."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.guard.drawn import draw
from fmnist_cli.guard.network import GuardNet

DRAWN = 3_000  # frames of each family, or as many as there are training images


class Examples(NamedTuple):
    """Histograms float16 [N, 784] of all that a guard learns from.

    Attributes:
        images: of the training images, each second one mirrored.
        labels: int64 [N], the class of each.
        drawn: of frames that show no garment, family after family; their class is the last.
    """

    images: Tensor
    labels: Tensor
    drawn: Tensor


def histograms(pixels: Pixels, chunk: int = 64) -> Tensor:
    """uint8 [N, 28, 28] → float16 [N, 784]; a chunk that fits the cache is faster."""
    network = GuardNet()
    result = torch.empty(len(pixels), network.hog.size, dtype=torch.float16)
    with torch.inference_mode():
        for start in range(0, len(pixels), chunk):
            part = torch.from_numpy(np.array(pixels[start : start + chunk]))
            result[start : start + chunk] = network.histograms(part)
    return result


def gather(train: LabelledImages, *, seed: int, report: Callable[[str], None]) -> Examples:
    """Draw, and compute histograms.

    Args:
        train: Fashion-MNIST's training images.
        seed: of everything drawn.
        report: told what is being done.
    """
    report(f"histograms of {len(train):,} images and of what is no garment")
    frames = draw(seed, min(DRAWN, len(train)), train.pixels)
    images = np.array(train.pixels)
    images[1::2] = images[1::2, :, ::-1].copy()
    return Examples(
        histograms(images),
        torch.from_numpy(np.array(train.labels)),
        torch.cat([histograms(part) for part in frames.values()]),
    )
