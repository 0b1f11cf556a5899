"""What a guard learns from: known garments, strange ones and drawn frames, as histograms."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fmnist_cli.contract import CLASS_NAMES, Pixels
from fmnist_cli.data.classes import Meanings, resolve
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.evaluate.folders import allowed_of
from fmnist_cli.guard.drawn import draw
from fmnist_cli.guard.network import GuardNet
from fmnist_cli.labelled.folders import LabelledFolders
from fmnist_cli.training.photographed import photographed

DRAWN = 3_000  # frames of each family, or as many as there are training images
VIEWS = 4  # of each photo, besides itself
_LOOSE = tuple(CLASS_NAMES.index(name) for name in ("Sandal", "Sneaker", "Ankle boot"))


class Photos(NamedTuple):
    """Prepared photos, some of them of garments that no class is for.

    Attributes:
        pixels: uint8 [N, 28, 28].
        truth: bool [N, outputs], the outputs that are right.
        folders: names of the folders.
        members: int64 [N], the folder of each.
        strange: bool [N], those of no known class.
    """

    pixels: Pixels
    truth: Tensor
    folders: tuple[str, ...]
    members: Tensor
    strange: Tensor

    @classmethod
    def of(cls, found: LabelledFolders, meanings: Meanings | None) -> Photos:
        """Photos with their truth.

        Outputs are the known classes, one for each strange folder, and one for drawn frames.

        Raises:
            DataError: a folder means no class and is not said to be unknown.
        """
        classes = resolve(found.folders, CLASS_NAMES, meanings, source=str(found.root))
        columns, strange = [], []
        for folder in found.folders:
            right = classes.columns[folder]
            strange.append(not right)
            columns.append(right or (len(CLASS_NAMES) + sum(strange) - 1,))
        outputs = len(CLASS_NAMES) + sum(strange) + 1
        members = torch.from_numpy(found.members.astype(np.int64))
        return cls(
            found.pixels,
            torch.from_numpy(allowed_of(found.members, columns, outputs)),
            found.folders,
            members,
            torch.tensor(strange)[members],
        )


class Examples(NamedTuple):
    """Histograms float16 [N, 784] of all that a guard learns from.

    Attributes:
        images: of the training images, each second one mirrored.
        labels: int64 [N], the class of each.
        views: of the photos; the first as they are, others as if photographed anew.
        photos: whose they are; None without photos.
        drawn: of frames that show no garment, family after family; their class is the last.
        known: number of known classes.
        outputs: number of all.
    """

    images: Tensor
    labels: Tensor
    views: tuple[Tensor, ...]
    photos: Photos | None
    drawn: Tensor
    known: int
    outputs: int


def histograms(pixels: Pixels, chunk: int = 64) -> Tensor:
    """uint8 [N, 28, 28] → float16 [N, 784]; a chunk that fits the cache is faster."""
    network = GuardNet(1, 1)
    result = torch.empty(len(pixels), network.hog.size, dtype=torch.float16)
    with torch.inference_mode():
        for start in range(0, len(pixels), chunk):
            part = torch.from_numpy(np.array(pixels[start : start + chunk]))
            result[start : start + chunk] = network.histograms(part)
    return result


def gather(
    train: LabelledImages,
    photos: Photos | None,
    *,
    seed: int,
    report: Callable[[str], None],
) -> Examples:
    """Draw, view and compute histograms.

    Args:
        train: Fashion-MNIST's training images.
        photos: to learn from, too.
        seed: of everything drawn.
        report: told what is being done.
    """
    report(f"histograms of {len(train):,} images and of what is no garment")
    labels = torch.from_numpy(np.array(train.labels))
    views: list[Tensor] = []
    if photos is not None:
        generator = torch.Generator().manual_seed(seed)
        pixels = torch.from_numpy(np.array(photos.pixels))
        loose = photos.truth[:, _LOOSE].any(dim=1)
        views = [histograms(photos.pixels)]
        for _ in range(VIEWS):
            views.append(histograms(photographed(pixels, loose, generator).numpy()))
    frames = draw(seed, min(DRAWN, len(train)), train.pixels)
    images = np.array(train.pixels)
    images[1::2] = images[1::2, :, ::-1].copy()
    return Examples(
        histograms(images),
        labels,
        tuple(views),
        photos,
        torch.cat([histograms(part) for part in frames.values()]),
        len(CLASS_NAMES),
        photos.truth.shape[1] if photos is not None else len(CLASS_NAMES) + 1,
    )
