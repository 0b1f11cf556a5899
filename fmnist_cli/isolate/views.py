"""Augmentation of photos with masks, whole batches at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional


class Photos(NamedTuple):
    """Photos to learn from, all stretched to one size.

    Attributes:
        images: uint8 [N, S, S, 3] RGB.
        masks: uint8 [N, S, S], 1 where the garment is.
        grounds: uint8 [N, S, S, 3], the photo with the garment painted over.
    """

    images: Tensor
    masks: Tensor
    grounds: Tensor


def ground_of(image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The photo with its garment painted over by what is around it, blurred.

    Args:
        image: uint8 [S, S, 3].
        mask: uint8 [S, S], 1 where the garment is.
    """
    outside = 1 - cv2.dilate(mask, np.ones((5, 5), np.uint8)).astype(np.float32)
    known = cv2.GaussianBlur(outside, (0, 0), len(image) / 8) + 1e-4
    spread = cv2.GaussianBlur(image * outside[..., None], (0, 0), len(image) / 8)
    filled = image * outside[..., None] + (spread / known[..., None]) * (1 - outside[..., None])
    return np.asarray(filled.clip(0, 255), np.uint8)


def _moved(images: Tensor, generator: torch.Generator, turn: float, scale: float) -> Tensor:
    """Sampling grid [N, S, S, 2]: mirrored, turned, scaled, shifted, a little sheared."""
    count = len(images)

    def uniform(reach: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * reach

    angle = uniform(turn) * math.pi / 180
    quarter = torch.randint(0, 8, (count,), generator=generator)
    angle = angle + torch.where(quarter < 2, quarter * 2 - 1, 0) * (math.pi / 2)
    size_x = torch.exp(uniform(scale))
    size_y = size_x * torch.exp(uniform(0.15))
    mirrored = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    cos, sin, shear = torch.cos(angle), torch.sin(angle), uniform(0.15)
    first = torch.stack([cos * size_x * mirrored, (shear - sin) * size_y, uniform(0.15)], 1)
    second = torch.stack([sin * size_x * mirrored, cos * size_y, uniform(0.15)], 1)
    matrix = torch.stack([first, second], 1)
    return functional.affine_grid(matrix, [count, 1, *images.shape[-2:]], align_corners=False)


def _relit(images: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast, brightness, colour cast and gamma; float32 [N, 3, S, S] in 0..1."""
    count = len(images)

    def uniform(reach: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, 1, 1, generator=generator) * 2 - 1) * reach

    images = images.clamp(0, 1) ** torch.exp(uniform(0.4, 1))
    images = images * torch.exp(uniform(0.12, 3)) * torch.exp(uniform(0.2, 1))
    grey = images.mean(dim=1, keepdim=True)
    saturation = 1 + uniform(0.6, 1)
    images = grey + (images - grey) * saturation
    noise = torch.rand(count, 1, 1, 1, generator=generator) * 0.04
    return images + torch.randn(images.shape, generator=generator) * noise


def view(
    photos: Photos, chosen: Tensor, side: int, generator: torch.Generator, pasted: float = 0.35
) -> tuple[Tensor, Tensor]:
    """A training batch: seen from elsewhere, in other light, some garments on other grounds.

    Args:
        photos: all photos.
        chosen: int64 [N], which of them.
        side: of the network's input.
        generator: of everything random.
        pasted: share of the photos whose garment is put before another photo's ground.

    Returns:
        Images float32 [N, side, side, 3] in 0..255 and masks float32 [N, side/2, side/2].
    """

    def planes(images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2).float() / 255

    def sampled(values: Tensor, grid: Tensor, padding: str) -> Tensor:
        return functional.grid_sample(values, grid, padding_mode=padding, align_corners=False)

    grid = _moved(photos.images[chosen, :, :, 0], generator, turn=25, scale=0.3)
    images = sampled(planes(photos.images[chosen]), grid, "reflection")
    masks = sampled(photos.masks[chosen][:, None].float(), grid, "zeros")
    # What is reflected at the edge is no garment: a mask of zeros there would teach a lie.
    inside = sampled(torch.ones_like(photos.masks[chosen][:, None]).float(), grid, "zeros")
    other = chosen[torch.randperm(len(chosen), generator=generator)]
    other_grid = _moved(photos.grounds[other, :, :, 0], generator, turn=180, scale=0.5)
    grounds = sampled(planes(photos.grounds[other]), other_grid, "reflection")
    paste = torch.rand(len(chosen), 1, 1, 1, generator=generator) < pasted
    alpha = functional.avg_pool2d(masks, 3, stride=1, padding=1)
    pasted_images = images * alpha + _relit(grounds, generator) * (1 - alpha)
    # Off the picture: another ground instead of reflections.
    images = torch.where(paste, pasted_images, images * inside + grounds * (1 - inside))
    images = functional.interpolate(
        _relit(images, generator), size=(side, side), mode="bilinear", antialias=True
    )
    masks = functional.interpolate(masks, size=(side // 2, side // 2), mode="area")
    return images.clamp(0, 1).permute(0, 2, 3, 1) * 255, masks[:, 0]
