"""Planted duplicates are found, as what they are; different images are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fmnist_cli.audit.duplicates import find_pairs, groups
from fmnist_cli.contract import Pixels


def garments(count: int, seed: int = 0) -> Pixels:
    """Blotches of their own, with a black margin that a shift does not push out."""
    rng = np.random.default_rng(seed)
    noise = rng.random((count, 28, 28)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in noise])
    smooth -= smooth.min(axis=(1, 2), keepdims=True)
    smooth *= 255 / smooth.max(axis=(1, 2), keepdims=True)
    smooth[:, [0, 1, -2, -1]] = 0
    smooth[:, :, [0, 1, -2, -1]] = 0
    return smooth.astype(np.uint8)


def found(pixels: Pixels) -> dict[tuple[int, int], str]:
    return {(pair.first, pair.second): pair.kind for pair in find_pairs(pixels)}


def test_different_images_are_no_duplicates() -> None:
    assert find_pairs(garments(300)) == []


def test_the_same_bytes() -> None:
    pixels = garments(60)
    pixels[40] = pixels[50] = pixels[7]
    pairs = find_pairs(pixels)
    assert {(p.first, p.second) for p in pairs if p.kind == "exact"} == {(7, 40), (7, 50)}
    assert groups(pairs, len(pixels)) == [[7, 40, 50]]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("down", [-1, 0, 1])
@pytest.mark.parametrize("right", [-1, 0, 1])
@pytest.mark.parametrize("swapped", [False, True])
def test_every_view(mirrored: bool, down: int, right: int, swapped: bool) -> None:
    pixels = garments(40)
    copy = np.roll(pixels[5, :, ::-1] if mirrored else pixels[5], (down, right), axis=(0, 1))
    place = 3 if swapped else 30
    pixels[place] = np.clip(copy * 0.97 + 4, 0, 255)  # another exposure
    kind = "mirrored" if mirrored else "shifted" if down or right else "near"
    assert found(pixels) == {(min(5, place), max(5, place)): kind}


def test_two_pixels_are_too_far() -> None:
    pixels = garments(40)
    pixels[30] = np.roll(pixels[5], 2, axis=1)
    assert found(pixels) == {}


def test_noise_passes_until_it_is_another_picture() -> None:
    rng = np.random.default_rng(1)
    pixels = garments(60)
    for place, amount in ((30, 4), (31, 40)):
        noisy = pixels[place - 25] + rng.normal(0, amount, (28, 28))
        pixels[place] = np.clip(noisy, 0, 255)
    assert found(pixels) == {(5, 30): "near"}


def test_plain_images_match_only_their_equals() -> None:
    pixels = garments(30)
    pixels[3] = pixels[9] = 0
    pixels[12] = 255
    assert found(pixels) == {(3, 9): "exact"}


def test_groups_hang_together() -> None:
    pixels = garments(50)
    pixels[20] = np.roll(pixels[10], 1, axis=0)
    pixels[30] = pixels[20, :, ::-1]
    pixels[41] = pixels[40]
    assert groups(find_pairs(pixels), 50) == [[10, 20, 30], [40, 41]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_images(count: int) -> None:
    assert find_pairs(garments(5)[:count]) == []
