"""Pictures as a network in training sees them: turned, cut, in other light, made up, of nothing."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fmnist_cli.contract import InputSpec
from fmnist_cli.models.registry import PictureRecipe

MARGIN = 9 / 7  # pictures are kept so much larger than a network's input, to be turned and cut
_TILES = 4  # a side, of pictures of nothing

Side = tuple[int, int]  # height and width


def enlarged(spec: InputSpec) -> InputSpec:
    """What pictures are kept as, to be seen through `spec`: larger by `MARGIN`."""
    return spec._replace(height=round(spec.height * MARGIN), width=round(spec.width * MARGIN))


class Views(NamedTuple):
    """What views are drawn from.

    Attributes:
        pictures: uint8 [N, H, W, 3], larger than the network's input.
        truth: bool [N, classes + 1], what is right of each; the last column is none of them.
        chosen: int64 [K], those that are drawn.
        weight: float64 [K], how often each of these is, relative to the others.
        frames: uint8 [M, 28, 28], light on black; made up as product pictures in colour.
        labels: int64 [M], their classes.
    """

    pictures: Tensor
    truth: Tensor
    chosen: Tensor
    weight: Tensor
    frames: Tensor
    labels: Tensor


def _grid(count: int, side: Side, generator: torch.Generator) -> Tensor:
    """Where each pixel of a view comes from: float32 [N, height, width, 2], for ``grid_sample``."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    angle = torch.randn(count, generator=generator).clamp(-2.5, 2.5) * math.radians(10)
    size = torch.exp(uniform(math.log(0.75), math.log(1.2)))  # of the picture in its view
    aspect = torch.exp(uniform(-0.12, 0.12))
    mirrored = 1 - 2 * torch.randint(0, 2, (count,), generator=generator)
    wide, high = 1 / (size * aspect), aspect / size
    cosine, sine = angle.cos(), angle.sin()
    theta = torch.stack(
        [
            torch.stack([wide * cosine * mirrored, -high * sine, uniform(-0.15, 0.15)], dim=1),
            torch.stack([wide * sine * mirrored, high * cosine, uniform(-0.15, 0.15)], dim=1),
        ],
        dim=1,
    )
    return functional.affine_grid(theta, [count, 1, *side], align_corners=False)


def _made_up(frames: Tensor, grid: Tensor, generator: torch.Generator) -> Tensor:
    """Frames as pictures: enlarged, the garment of one colour on a ground of another.

    Args:
        frames: uint8 [N, 28, 28].
        grid: float32 [N, height, width, 2].
        generator: source of all randomness.

    Returns:
        float32 [N, 3, height, width], -1 to 1.
    """
    count = len(frames)
    shade = functional.grid_sample(
        frames[:, None].float() / 255, grid, mode="bicubic", align_corners=False
    ).clamp(0, 1)
    ground = 1 - 0.3 * torch.rand(count, 3, 1, 1, generator=generator) ** 2
    garment = torch.rand(count, 3, 1, 1, generator=generator) * 0.7
    dark = torch.rand(count, 1, 1, 1, generator=generator) < 0.25  # as they are in Fashion-MNIST
    ground, garment = torch.where(dark, 0.0, ground), torch.where(dark, 1 - garment, garment)
    return 2 * (ground + shade * (garment - ground)) - 1


def _in_other_light(images: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness, contrast, colour and sharpness varied; float32 [N, 3, H, W], -1 to 1."""
    count = len(images)

    def normal(spread: float, channels: int = 1) -> Tensor:
        return torch.randn(count, channels, 1, 1, generator=generator) * spread

    coarse = torch.rand(count, generator=generator) < 0.15
    if coarse.any():
        small = functional.interpolate(images[coarse], scale_factor=0.4, mode="area")
        images[coarse] = functional.interpolate(
            small, size=images.shape[2:], mode="bilinear", align_corners=False
        )
    grey = images.mean(dim=1, keepdim=True)
    colorful = torch.rand(count, 1, 1, 1, generator=generator) * 0.9 + 0.4
    colorful *= torch.rand(count, 1, 1, 1, generator=generator) > 0.1  # some without any colour
    images = grey + colorful * (images - grey)
    images = images * torch.exp(normal(0.2) + normal(0.07, 3)) + normal(0.12) + normal(0.04, 3)
    return images.clamp_(-1, 1)


def _erase(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Random erasing (Zhong et al. 2017) of a `share` of the images, in place."""
    high, wide = images.shape[2:]
    for image in images[torch.rand(len(images), generator=generator) < share]:
        at = torch.rand(4, generator=generator).tolist()
        height, width = int(high * (0.12 + 0.2 * at[0])), int(wide * (0.12 + 0.2 * at[1]))
        top, left = int((high - height) * at[2]), int((wide - width) * at[3])
        image[:, top : top + height, left : left + width] = (
            torch.rand(3, 1, 1, generator=generator) * 2 - 1
        )
    return images


def _shuffled(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures of nothing: tiles in random order; the same shape."""
    count, channels, height, width = images.shape
    high, wide = height // _TILES, width // _TILES
    parts = images.reshape(count, channels, _TILES, high, _TILES, wide).permute(0, 2, 4, 1, 3, 5)
    parts = parts.reshape(count, _TILES**2, channels, high, wide)
    order = torch.rand(count, _TILES**2, generator=generator).argsort(dim=1)
    parts = parts[torch.arange(count)[:, None], order]
    parts = parts.reshape(count, _TILES, _TILES, channels, high, wide)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, height, width)


def draw(
    views: Views, chosen: Tensor, side: Side, recipe: PictureRecipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A batch as it is seen, and what is right of it.

    They are float32 [N, 3, height, width], -1 to 1, and bool [N, classes + 1]. Pictures come first,
    then made-up ones, then pictures of nothing.
    """
    pictures = views.pictures[chosen].permute(0, 3, 1, 2).float().sub_(127).div_(128)
    # Beside the picture is nothing: zero, the grey of letterboxes.
    seen = functional.grid_sample(
        pictures, _grid(len(chosen), side, generator), align_corners=False
    )
    parts, truth = [seen], [views.truth[chosen]]
    columns = views.truth.shape[1]
    if count := round(recipe.made_up * len(chosen)):
        picked = torch.randint(0, len(views.frames), (count,), generator=generator)
        grid = _grid(count, side, generator)
        parts.append(_made_up(views.frames[picked], grid, generator))
        truth.append(functional.one_hot(views.labels[picked], columns).bool())
    images = _in_other_light(torch.cat(parts), generator)
    images = _erase(images, recipe.erase, generator)
    if count := round(recipe.nothing * len(chosen)):
        picked = torch.randint(0, len(chosen), (count,), generator=generator)
        images = torch.cat([images, _shuffled(images[picked], generator)])
        last = functional.one_hot(torch.full((count,), columns - 1), columns).bool()
        truth.append(last)
    return images, torch.cat(truth)
