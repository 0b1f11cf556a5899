"""What each step of an epoch sees: images in random order, and a share of photos."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Every image once an epoch, or oftener; photos, if any, fill a share of every batch.

    Attributes:
        images: how many images there are.
        folders: int64 [photos], the folder of each photo; these follow the images. All folders
            are drawn equally often, however many photos they hold.
        size: images and photos per step.
        share: of a batch that are photos, 0 to 1.
        rounds: how often an epoch shows every image.
    """

    images: int
    folders: Tensor
    size: int
    share: float
    rounds: int = 1

    @property
    def taken(self) -> int:
        """Photos in a batch: at least one where there are any and some are wanted."""
        if not len(self.folders) or not self.share:
            return 0
        return min(max(1, round(self.share * self.size)), self.size - 1)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return math.ceil(self.images * self.rounds / (self.size - self.taken))

    def draw(self, generator: torch.Generator) -> list[tuple[Tensor, int]]:
        """An epoch: per step int64 positions, images first, and how many of these are images.

        Photos are drawn with replacement.
        """
        each = self.size - self.taken
        order = _rounds(self.images, self.rounds, generator)
        parts = [order[step * each : (step + 1) * each] for step in range(self.steps)]
        if not self.taken:
            return [(part, len(part)) for part in parts]
        weights = 1 / torch.bincount(self.folders).double()
        photos = torch.multinomial(
            weights[self.folders], self.steps * self.taken, replacement=True, generator=generator
        )
        photos = photos.reshape(self.steps, self.taken) + self.images
        return [
            (torch.cat([part, row]), len(part)) for part, row in zip(parts, photos, strict=True)
        ]


def _rounds(count: int, rounds: int, generator: torch.Generator) -> Tensor:
    """Positions below `count`, all of them in random order, `rounds` times."""
    return torch.cat([torch.randperm(count, generator=generator) for _ in range(rounds)])
