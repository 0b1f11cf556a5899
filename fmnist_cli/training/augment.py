"""Augmentation of whole batches by indexing: no per-image Python, uint8 in and out.

Shifts and mirroring are drawn as a `View`, one of finitely many, before they are applied, so
that what a teacher says of each view can be looked up (`fmnist_cli.training.distill`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class View(NamedTuple):
    """How each image of a batch is seen; all int64 [N].

    Attributes:
        mirrored: 1 where left and right are swapped, after the shift.
        top: first row of the window in the padded picture, 0 to 2·reach.
        left: first column of the window, 0 to 2·reach.
    """

    mirrored: Tensor
    top: Tensor
    left: Tensor


def draw_view(count: int, reach: int, flip: bool, generator: torch.Generator) -> View:
    """Random views: any shift by up to `reach` pixels, half of them mirrored with `flip`."""
    top, left = torch.randint(0, 2 * reach + 1, (2, count), generator=generator)
    mirrored = torch.randint(0, 2 if flip else 1, (count,), generator=generator)
    return View(mirrored, top, left)


def see(pixels: Tensor, view: View, reach: int) -> Tensor:
    """The images as seen: uint8 [N, 28, 28] → the same shape, black where nothing is known.

    One gather shifts and mirrors: every output row and column names its source.
    """
    count, side = len(pixels), pixels.shape[-1]
    steps = torch.arange(side)
    columns = torch.where(view.mirrored[:, None] == 1, steps.flip(0), steps) + view.left[:, None]
    rows = view.top[:, None] + steps  # [N, 28], into the padded picture
    padded = functional.pad(pixels, (reach, reach, reach, reach))
    device = pixels.device
    index = torch.arange(count, device=device)[:, None, None]
    return padded[index, rows.to(device)[:, :, None], columns.to(device)[:, None, :]]


def erase(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Random erasing (Zhong et al. 2017): a rectangle of 4–14 pixels a side, one grey level.

    Args:
        pixels: uint8 [N, 28, 28].
        share: of the images that are treated so, 0 to 1.
        generator: source of all randomness, on the CPU.
    """
    if share == 0:
        return pixels
    count, side = len(pixels), pixels.shape[-1]
    size = torch.randint(4, side // 2 + 1, (2, count, 1), generator=generator)
    start = (torch.rand(2, count, 1, generator=generator) * (side - size + 1)).long()
    grid = torch.arange(side)
    inside = (grid >= start) & (grid < start + size)  # [2, N, 28]: rows, columns
    chosen = torch.rand(count, 1, 1, generator=generator) < share
    mask = inside[0][:, :, None] & inside[1][:, None, :] & chosen
    level = torch.randint(0, 256, (count, 1, 1), generator=generator, dtype=torch.uint8)
    return torch.where(mask.to(pixels.device), level.to(pixels.device), pixels)


def relight(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Other light: less contrast about the mean, and brightness that differs over the picture.

    Values that leave 0..255 are cut off, as a camera does.

    Args:
        pixels: uint8 [N, 28, 28].
        share: of the images that are treated so, 0 to 1.
        generator: source of all randomness, on the CPU.
    """
    if share == 0:
        return pixels
    count, side = len(pixels), pixels.shape[-1]
    contrast = torch.rand(count, 1, 1, generator=generator) * 0.95 + 0.1
    even = torch.rand(count, 1, 1, 1, generator=generator) * 160 - 20
    uneven = (torch.rand(count, 1, 3, 3, generator=generator) - 0.5) * 120
    # Half of the lights are even.
    uneven *= torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    added = functional.interpolate(even + uneven, size=(side, side), mode="bicubic")[:, 0]
    chosen = torch.rand(count, 1, 1, generator=generator) < share
    device = pixels.device
    values = pixels.float()
    mean = values.mean(dim=(1, 2), keepdim=True)
    lit = mean + contrast.to(device) * (values - mean) + added.to(device)
    return torch.where(chosen.to(device), lit.clamp(0, 255).round().to(torch.uint8), pixels)
