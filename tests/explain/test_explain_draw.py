"""Pictures side by side: what is drawn is the picture and its map, pixel by pixel."""

from __future__ import annotations

import numpy as np

from fmnist_cli.explain.job import side_by_side
from fmnist_cli.html.contact_sheet import heat_colors, under_heat
from fmnist_cli.html.folder import SCALE

PIXELS = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
HEAT = np.arange(784, dtype=np.uint32).reshape(28, 28).astype(np.uint8)


def test_colours_get_lighter_all_the_way() -> None:
    ramp = heat_colors(np.arange(256, dtype=np.uint8)[None])[0].astype(float)
    luminance = ramp @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -1).all()  # rounding
    assert luminance[-1] - luminance[0] > 150
    assert ramp[0].tolist()[2] > ramp[0].tolist()[1]  # RGB and not BGR: viridis begins dark violet
    assert ramp[-1].tolist()[2] < 60  # and ends yellow


def test_the_overlay_leaves_alone_what_has_no_evidence() -> None:
    both = under_heat(PIXELS, np.zeros((28, 28), np.uint8))
    np.testing.assert_array_equal(both, np.repeat(PIXELS[..., None], 3, axis=2))
    assert not np.array_equal(under_heat(PIXELS, HEAT), both)


def test_each_pixel_becomes_a_sharp_square() -> None:
    image = np.asarray(side_by_side(PIXELS, HEAT, "true: Coat", "below"))
    top, left, side = 22, 8, 28 * SCALE
    first = image[top : top + side, left : left + side]
    expected = np.kron(PIXELS, np.ones((SCALE, SCALE), np.uint8))
    np.testing.assert_array_equal(first, np.repeat(expected[..., None], 3, axis=2))
    second = image[top : top + side, 2 * left + side : 2 * left + 2 * side]
    np.testing.assert_array_equal(second[::SCALE, ::SCALE], heat_colors(HEAT))


def test_captions_are_drawn_and_long_ones_keep_their_end() -> None:
    short = side_by_side(PIXELS, HEAT, "true: Coat", "x")
    other = side_by_side(PIXELS, HEAT, "true: Bag", "x")
    assert short.tobytes() != other.tobytes()
    long = side_by_side(PIXELS, HEAT, "true: Coat", "a/" * 300 + "x")
    longer = side_by_side(PIXELS, HEAT, "true: Coat", "b/" + "a/" * 300 + "x")
    assert long.size == short.size
    assert long.tobytes() == longer.tobytes()  # what differs is left out


def test_a_colour_picture_keeps_its_colours_and_its_shape() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (112, 224, 3), np.uint8)
    nothing = np.zeros((112, 224), np.uint8)
    np.testing.assert_array_equal(under_heat(picture, nothing), picture)
    image = np.asarray(side_by_side(picture, nothing, "", ""))
    np.testing.assert_array_equal(image[22 + 56 : 22 + 168, 8 : 8 + 224], picture)
