"""Augmentation that turns product pictures into what a preparation makes of photos.

A garment on a floor lies crooked, its sleeves spread, lit from one side, and its outline is
what a segmentation makes of it. All is drawn for whole batches: one sampling, one mask.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_PRESENT = 0.04  # brightness, 0 to 1, from which on a pixel belongs to the garment


def photographed(pixels: Tensor, loose: Tensor, generator: torch.Generator) -> Tensor:
    """The images as if they had been photographed and cut out.

    Args:
        pixels: uint8 [N, 28, 28].
        loose: bool [N], items that lie any way round and come in pairs: shoes.
        generator: source of all randomness, on the CPU.

    Returns:
        uint8 [N, 28, 28]; the longest edge fills the frame, as after the preparation ``photo``.
    """
    draw = _Draw(len(pixels), pixels.shape[-1], generator)
    images = pixels.cpu()[:, None].float() / 255
    images = _paired(images, loose, draw)
    images = _laid_out(images, loose, draw)
    images = _lit(images, draw)
    return (images[:, 0].clamp(0, 1) * 255).round().to(torch.uint8).to(pixels.device)


class _Draw:
    """Random numbers for a batch; each call gives one per image."""

    def __init__(self, count: int, side: int, generator: torch.Generator) -> None:
        self.count, self.side, self._generator = count, side, generator

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.count, *shape, generator=self._generator)

    def happens(self, share: float) -> Tensor:
        return torch.rand(self.count, generator=self._generator) < share

    def field(self, cells: int) -> Tensor:
        """Smooth noise with unit variance at `cells` × `cells` points, [N, 1, side, side]."""
        coarse = torch.randn(self.count, 1, cells, cells, generator=self._generator)
        return functional.interpolate(
            coarse, size=(self.side, self.side), mode="bicubic", align_corners=True
        )

    def grain(self) -> Tensor:
        return torch.randn(self.count, 1, self.side, self.side, generator=self._generator)


def _wide(values: Tensor) -> Tensor:
    """[N] → [N, 1, 1, 1], to go with images."""
    return values[:, None, None, None]


def _rotation(
    angle: Tensor, size: Tensor, mirrored: Tensor, down: Tensor, across: Tensor
) -> Tensor:
    """Affine matrices [N, 2, 3] of `affine_grid`."""
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    first = torch.stack([cos * mirrored, sin * mirrored, across], dim=1)
    return torch.stack([first, torch.stack([-sin, cos, down], dim=1)], dim=1)


def _paired(images: Tensor, loose: Tensor, draw: _Draw) -> Tensor:
    """Half of the loose items with a second of their kind, behind and turned a little."""
    still, one = torch.zeros(draw.count), torch.ones(draw.count)
    apart = draw.between(0.2, 1.0)
    mirrored = torch.where(draw.happens(0.5), -one, one)
    front = _rotation(still, 1.6 * one, one, apart, still)
    behind = _rotation(
        draw.between(-0.25, 0.25), 1.6 * one, mirrored, -apart, draw.between(-0.4, 0.4)
    )

    def seen(matrix: Tensor) -> Tensor:
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)

    first, second = seen(front), seen(behind)
    both = torch.where(first > _PRESENT, first, second)
    return torch.where(_wide(loose & draw.happens(0.5)), both, images)


def _laid_out(images: Tensor, loose: Tensor, draw: _Draw) -> Tensor:
    """Turned, stretched, wider or narrower towards the hem, bent, crumpled; then fitted again."""
    crooked = draw.between(-1, 1)
    angle = torch.where(
        loose, draw.between(-1.75, 1.75), crooked * crooked.abs() * math.radians(30)
    )
    shear, flare, tilt, bend = (draw.between(-r, r) for r in (0.15, 0.35, 0.1, 0.15))
    width, height = torch.exp(draw.between(-0.3, 0.3)), torch.exp(draw.between(-0.13, 0.23))
    crumple = draw.between(0, 0.1)[:, None, None]
    off_x, off_y = draw.field(4)[:, 0] * crumple, draw.field(4)[:, 0] * crumple

    def sources(x: Tensor, y: Tensor) -> Tensor:
        """Where in the image each place of the view comes from, [N, 28, 28, 2]."""
        cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
        along = cos * x + (sin + shear[:, None, None]) * y
        down = -sin * x + cos * y
        spread = along * width[:, None, None] * (1 - flare[:, None, None] * down)
        down = down * height[:, None, None] * (1 + tilt[:, None, None] * spread)
        down = down + bend[:, None, None] * (spread * spread - 0.3)
        return torch.stack([spread + off_x, down + off_y], dim=-1)

    steps = torch.linspace(-1, 1, draw.side)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    x, y = x.expand(draw.count, -1, -1), y.expand(draw.count, -1, -1)
    margin = 1.5
    present = functional.grid_sample(
        (images > _PRESENT).float(), sources(x * margin, y * margin), "nearest", align_corners=False
    )[:, 0].bool()

    def extent(line: Tensor) -> tuple[Tensor, Tensor]:
        """Middle and half-width of what is True in bool [N, 28], in view coordinates."""
        first = line.float().argmax(1)
        last = draw.side - 1 - line.flip(1).float().argmax(1)
        middle = ((first + last) / (draw.side - 1) - 1) * margin
        return middle, (last - first + 1) / draw.side * margin

    (middle_x, half_x), (middle_y, half_y) = extent(present.any(1)), extent(present.any(2))
    half = torch.maximum(half_x, half_y) * torch.exp(draw.between(-0.06, 0.14))
    half = torch.where(present.any(2).any(1), half, 1.0)[:, None, None]
    aside, below = draw.between(-0.06, 0.06), draw.between(-0.06, 0.06)
    fitted = sources(
        middle_x[:, None, None] + (x + aside[:, None, None]) * half,
        middle_y[:, None, None] + (y + below[:, None, None]) * half,
    )
    return functional.grid_sample(images, fitted, align_corners=False)


def _lit(images: Tensor, draw: _Draw) -> Tensor:
    """Other cloth in other light, behind an outline that is not quite right."""
    garment = (images > _PRESENT).float()
    size = garment.sum((2, 3), keepdim=True).clamp(min=1)
    mean = (images * garment).sum((2, 3), keepdim=True) / size
    level = draw.between(0.34, 0.9, 1, 1, 1)
    level = mean + (level - mean) * draw.between(0, 1, 1, 1, 1)
    contrast = torch.exp(draw.between(-0.7, 0.7, 1, 1, 1))
    contrast = torch.where(_wide(draw.happens(0.15)), -contrast, contrast)
    light = draw.field(3) * draw.between(0, 0.25, 1, 1, 1)
    folds = draw.field(6) * draw.between(0, 0.18, 1, 1, 1)
    grain = draw.grain() * draw.between(0, 0.08, 1, 1, 1)
    cloth = (level + (images - mean) * contrast + folds + light + grain).clamp(0.02, 1)
    cloth = torch.where(garment > 0, cloth, (level + light).clamp(0.02, 1))
    inside = functional.avg_pool2d(garment, 3, stride=1, padding=1)
    bites = draw.field(7) * draw.between(0, 0.35, 1, 1, 1)
    outline = ((inside + bites - 0.5) * 4 + 0.5).clamp(0, 1)
    near = functional.max_pool2d(garment, 3, stride=1, padding=1)
    result = cloth * torch.minimum(outline, near)
    blurred = functional.avg_pool2d(result, 3, stride=1, padding=1)
    return torch.where(_wide(draw.happens(0.3)), (result + blurred) / 2, result)
