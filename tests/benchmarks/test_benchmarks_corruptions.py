"""Corruptions: pure, seeded, stronger with strength, and the same as they were."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from harness.corruptions import GROUPS, KINDS, corrupt, counted
from harness.effects import convolve, gaussian_blur, grid, sample
from regenerate_corruptions import GOLDEN, coarse, drawn_pictures

CELLS = [(name, s) for name, kind in KINDS.items() for s in range(1, len(kind.levels) + 1)]


def test_there_are_fifteen_kinds_of_five_strengths_and_others() -> None:
    assert len(counted()) == 15
    assert {len(KINDS[name].levels) for name in counted()} == {5}
    assert {KINDS[name].source for name in counted()} == {"ImageNet-C", "MNIST-C"}
    assert set(KINDS) - set(counted()) == {
        "negative", "tilt", "turn", "jpeg", "grey_background", "gradient_background",
        "striped_background", "noisy_background",
    }  # fmt: skip
    assert {kind.group for kind in KINDS.values()} == set(GROUPS)
    for one in KINDS.values():
        assert len(set(one.levels)) == len(one.levels)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_pure_seeded_and_changes_something(name: str) -> None:
    pictures = drawn_pictures()
    before = pictures.copy()
    pictures.setflags(write=False)
    found = corrupt(name, pictures, 1, seed=3)
    assert (found.dtype, found.shape) == (np.uint8, pictures.shape)
    np.testing.assert_array_equal(pictures, before)
    np.testing.assert_array_equal(corrupt(name, pictures, 1, seed=3), found)
    assert (found != pictures).any()
    assert corrupt(name, pictures[:0], 1).shape == (0, 28, 28)


@pytest.mark.parametrize("name", counted())
def test_a_greater_strength_is_further_from_the_picture(name: str) -> None:
    pictures = np.tile(drawn_pictures(), (20, 1, 1))
    # Rows of stripes look the same again some pixels further on; the others do not.
    pictures = pictures[np.arange(len(pictures)) % 3 != 2]
    away = [
        float(np.abs(corrupt(name, pictures, s).astype(float) - pictures).mean())
        for s in range(1, 6)
    ]
    # Regular patterns may meet the grid of larger pixels well or badly.
    assert all(after > 0.8 * before for before, after in itertools.pairwise(away))
    assert away[0] < away[-1] / 1.3


def test_they_are_what_they_were() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert list(golden) == [f"{name} {strength}" for name, strength in CELLS]
    pictures = drawn_pictures()
    for name, strength in CELLS:
        found = coarse(corrupt(name, pictures, strength))
        # Decoders of JPEG differ by a grey level.
        np.testing.assert_allclose(found, golden[f"{name} {strength}"], atol=2)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="strengths from 1 to 5, not 6"):
        corrupt("fog", drawn_pictures(), 6)
    with pytest.raises(ValueError, match="strengths from 1 to 5, not 0"):
        corrupt("fog", drawn_pictures(), 0)
    with pytest.raises(KeyError):
        corrupt("sunshine", drawn_pictures(), 1)


def test_simple_kinds_do_what_they_say() -> None:
    pictures = drawn_pictures()
    np.testing.assert_array_equal(corrupt("negative", pictures, 1), 255 - pictures)
    quarter, back, half = (corrupt("turn", pictures, s) for s in (2, 1, 3))
    np.testing.assert_array_equal(quarter, np.rot90(pictures, 1, axes=(1, 2)))
    np.testing.assert_array_equal(back, np.rot90(pictures, -1, axes=(1, 2)))
    np.testing.assert_array_equal(half, np.rot90(pictures, 2, axes=(1, 2)))
    moved = corrupt("translate", pictures, 2)
    for one, was in zip(moved, pictures, strict=True):
        sides = [np.roll(was, (down, right), (0, 1)) for down in (-2, 2) for right in (-2, 2)]
        assert any((one[2:-2, 2:-2] == side[2:-2, 2:-2]).all() for side in sides)
    grey = corrupt("grey_background", pictures, 3)
    np.testing.assert_array_equal(grey, np.where(pictures == 0, 102, pictures))
    assert (corrupt("noisy_background", pictures, 3)[pictures > 0] == pictures[pictures > 0]).all()
    dark = corrupt("shot_noise", pictures, 5)
    assert not dark[pictures == 0].any()
    mud = np.full((50, 28, 28), 255, np.uint8)
    assert (corrupt("spatter", mud, 5) < 160).mean() == pytest.approx(0.3, abs=0.03)
    hit = corrupt("impulse_noise", np.full((50, 28, 28), 100, np.uint8), 5) != 100
    assert hit.mean() == pytest.approx(0.27, abs=0.01)


def test_reading_between_pixels() -> None:
    images = np.random.default_rng(0).random((2, 28, 28), np.float32)
    x, y = grid()
    np.testing.assert_allclose(sample(images, x, y), images, atol=1e-5)
    between = sample(images, x + np.float32(0.25), y)
    np.testing.assert_allclose(
        between[:, :, :-1], 0.75 * images[:, :, :-1] + 0.25 * images[:, :, 1:], atol=1e-5
    )
    assert not sample(images, x + 40, y).any()
    assert not sample(images, x, y - 40).any()


def test_blurs_keep_what_is_even() -> None:
    even = np.full((1, 28, 28), 0.5, np.float32)
    np.testing.assert_allclose(gaussian_blur(even, 2), even, atol=1e-6)
    box = np.full((3, 5), 1 / 15, np.float32)
    np.testing.assert_allclose(convolve(even, box), even, atol=1e-6)
    for name in ("defocus_blur", "glass_blur", "pixelate"):
        middle = corrupt(name, np.full((1, 28, 28), 128, np.uint8), 5)[0, 10:18, 10:18]
        assert (np.abs(middle.astype(int) - 128) <= 1).all()
