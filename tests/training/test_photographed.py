"""Views as if photographed: what they keep and what they never do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fmnist_cli.training.photographed import photographed


def bars(count: int) -> Tensor:
    """Bright upright bars on black, of different widths."""
    pixels = np.zeros((count, 28, 28), np.uint8)
    for index in range(count):
        half = 3 + index % 6
        pixels[index, 2:26, 14 - half : 14 + half] = 120 + index % 100
    return torch.from_numpy(pixels)


def seen(pixels: Tensor, loose: bool = False, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return photographed(pixels, torch.full((len(pixels),), loose), generator)


def test_the_same_seed_gives_the_same_views() -> None:
    pixels = bars(20)
    assert torch.equal(seen(pixels), seen(pixels))
    assert not torch.equal(seen(pixels), seen(pixels, seed=1))
    assert seen(pixels).dtype == torch.uint8
    assert seen(pixels).shape == pixels.shape


def test_garments_fill_the_frame_as_after_the_preparation() -> None:
    views = seen(bars(200)).numpy() > 10
    longest = np.maximum(views.any(2).sum(1), views.any(1).sum(1))
    assert np.median(longest) >= 24
    assert longest.min() >= 12


def test_the_ground_stays_black_and_garments_stay_visible() -> None:
    pixels = bars(200)
    views = seen(pixels).numpy()
    assert (views == 0).mean() > 0.2
    assert views.mean(axis=(1, 2)).min() > 5


def test_a_frame_with_nothing_on_it_stays_so() -> None:
    assert not seen(torch.zeros(10, 28, 28, dtype=torch.uint8)).any()


def test_shoes_lie_any_way_round_and_come_in_pairs() -> None:
    pixels = bars(200)
    upright, loose = seen(pixels).numpy() > 10, seen(pixels, loose=True).numpy() > 10

    def wide(views: np.ndarray) -> float:
        return float(np.mean(views.any(1).sum(1) > views.any(2).sum(1)))

    assert wide(upright) < 0.2
    assert wide(loose) > 0.3
