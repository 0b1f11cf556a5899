"""Augmentation of whole batches by indexing: no per-image Python, uint8 in and out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fmnist_cli.models.recipes import TorchRecipe


def augment(pixels: Tensor, recipe: TorchRecipe, generator: torch.Generator) -> Tensor:
    """Shifted, mirrored and partly erased copies, as the recipe asks.

    Args:
        pixels: uint8 [N, 28, 28].
        recipe: how much of each.
        generator: source of all randomness, on the CPU.

    Returns:
        uint8 [N, 28, 28] on the same device.
    """
    pixels = _shift_and_flip(pixels, recipe.translate, recipe.flip, generator)
    if recipe.erase > 0:
        pixels = _erase(pixels, recipe.erase, generator)
    return pixels


def _shift_and_flip(pixels: Tensor, reach: int, flip: bool, generator: torch.Generator) -> Tensor:
    """One gather does both: every output row and column names its source."""
    if reach == 0 and not flip:
        return pixels
    count, side = len(pixels), pixels.shape[-1]
    offsets = torch.randint(0, 2 * reach + 1, (2, count, 1), generator=generator)
    rows = offsets[0] + torch.arange(side)  # [N, 28], into the padded picture
    columns = offsets[1] + torch.arange(side)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = functional.pad(pixels, (reach, reach, reach, reach))
    device = pixels.device
    index = torch.arange(count, device=device)[:, None, None]
    return padded[index, rows.to(device)[:, :, None], columns.to(device)[:, None, :]]


def _erase(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Random erasing (Zhong et al. 2017): a rectangle of 4–14 pixels a side, one grey level."""
    count, side = len(pixels), pixels.shape[-1]
    size = torch.randint(4, side // 2 + 1, (2, count, 1), generator=generator)
    start = (torch.rand(2, count, 1, generator=generator) * (side - size + 1)).long()
    grid = torch.arange(side)
    inside = (grid >= start) & (grid < start + size)  # [2, N, 28]: rows, columns
    chosen = torch.rand(count, 1, 1, generator=generator) < share
    mask = inside[0][:, :, None] & inside[1][:, None, :] & chosen
    level = torch.randint(0, 256, (count, 1, 1), generator=generator, dtype=torch.uint8)
    return torch.where(mask.to(pixels.device), level.to(pixels.device), pixels)
