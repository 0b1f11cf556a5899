"""What each step of an epoch sees: images in random order, and a share of photos."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batches:
    """Every image once an epoch, or oftener; photos, if any, fill a share of every batch.

    Attributes:
        images: how many images there are.
        photos: how many photos, which follow the images.
        size: images and photos per step.
        share: of a batch that are photos, 0 to 1.
        rounds: how often an epoch shows every image.
    """

    images: int
    photos: int
    size: int
    share: float
    rounds: int = 1

    @property
    def taken(self) -> int:
        """Photos in a batch: at least one where there are any and some are wanted."""
        if not self.photos or not self.share:
            return 0
        return min(max(1, round(self.share * self.size)), self.size - 1)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return math.ceil(self.images * self.rounds / (self.size - self.taken))

    def draw(self, generator: torch.Generator) -> list[tuple[Tensor, int]]:
        """An epoch: per step int64 positions, images first, and how many of these are images.

        Photos go round in random order, as often as they are needed.
        """
        each = self.size - self.taken
        order = _rounds(self.images, self.rounds, generator)
        parts = [order[step * each : (step + 1) * each] for step in range(self.steps)]
        if not self.taken:
            return [(part, len(part)) for part in parts]
        rounds = math.ceil(self.steps * self.taken / self.photos)
        photos = _rounds(self.photos, rounds, generator)
        photos = photos[: self.steps * self.taken].reshape(self.steps, self.taken) + self.images
        return [
            (torch.cat([part, row]), len(part)) for part, row in zip(parts, photos, strict=True)
        ]


def _rounds(count: int, rounds: int, generator: torch.Generator) -> Tensor:
    """Positions below `count`, all of them in random order, `rounds` times."""
    return torch.cat([torch.randperm(count, generator=generator) for _ in range(rounds)])
