"""Augmentation keeps the picture's content and is ruled by its generator."""

from __future__ import annotations

import torch

from fmnist_cli.models.registry import TorchRecipe
from fmnist_cli.training.frame_fit import draw_view, erase, see


def batch(count: int = 64) -> torch.Tensor:
    pixels = torch.zeros(count, 28, 28, dtype=torch.uint8)
    pixels[:, 10:14, 6:9] = torch.arange(1, 13, dtype=torch.uint8).reshape(4, 3)
    return pixels


def run(seed: int = 0, **changes: object) -> torch.Tensor:
    plain = {"epochs": 1, "translate": 0, "flip": False, "erase": 0.0}
    recipe = TorchRecipe(**(plain | changes))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    view = draw_view(len(batch()), recipe.translate, recipe.flip, generator)
    return erase(see(batch(), view, recipe.translate), recipe.erase, generator)


def test_nothing_asked_nothing_changed() -> None:
    assert torch.equal(run(), batch())


def test_the_generator_decides() -> None:
    assert torch.equal(run(1, translate=2, erase=0.5), run(1, translate=2, erase=0.5))
    assert not torch.equal(run(1, translate=2, erase=0.5), run(2, translate=2, erase=0.5))


def test_shifts_stay_in_reach_and_lose_nothing() -> None:
    shifted = run(translate=2)
    rows = shifted.amax(2).ne(0).float().argmax(1)
    columns = shifted.amax(1).ne(0).float().argmax(1)
    assert set((rows - 10).tolist()) == set((columns - 6).tolist()) == {-2, -1, 0, 1, 2}
    assert (shifted.sum((1, 2)) == batch().sum((1, 2))).all()


def test_about_half_are_mirrored() -> None:
    flipped = run(flip=True)
    mirrored = [torch.equal(image, batch(1)[0].flip(1)) for image in flipped]
    kept = [torch.equal(image, batch(1)[0]) for image in flipped]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 20 <= sum(mirrored) <= 44


def test_erasing_overwrites_one_rectangle_in_the_asked_share() -> None:
    erased = run(erase=0.5)
    changed = [image.ne(batch(1)[0]) for image in erased]
    assert 18 <= sum(bool(mask.any()) for mask in changed) <= 46
    for image, mask in zip(erased, changed, strict=True):
        outside = image[~mask]
        assert torch.equal(outside, batch(1)[0][~mask])
        assert len(image[mask].unique()) <= 1
