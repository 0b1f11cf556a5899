"""An item on a plain background: trimmed, centred, light on black, whatever the background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pictures import Grey, encoded

from fmnist_cli.contract import Picture
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.preprocess import preprocess
from fmnist_cli.preprocess.product import background_level, sharpened


def garment() -> Grey:
    """A frame: a grey trapezium with a collar, its longest edge 28."""
    frame = np.zeros((28, 28), np.uint8)
    for row in range(28):
        half = 6 + row // 5
        frame[row, 14 - half : 14 + half] = 120 + 3 * (row % 5)
    frame[:3, 11:17] = 0
    return frame


def shown(ground: int, *, side: int = 280, margin: tuple[int, int] = (40, 25)) -> Grey:
    """The garment as a shop shows it: enlarged, on a ground of this level, negated if light."""
    large = cv2.resize(garment(), (side, side), interpolation=cv2.INTER_CUBIC)
    cover = cv2.resize((garment() > 0).astype(np.float32), (side, side)).clip(0, 1)
    item = 255.0 - large if ground > 127 else large.astype(np.float32)
    mixed = item * cover + ground * (1 - cover)
    pads = [(margin[0], margin[1]), (margin[1], margin[0])]
    return np.pad(np.rint(mixed).astype(np.uint8), pads, constant_values=ground)


def difference(frame: Grey) -> float:
    return float(np.abs(frame.astype(int) - garment()).mean())


@pytest.mark.parametrize("ground", [0, 12, 170, 200, 235, 255])
@pytest.mark.parametrize("quality", [None, 50, 90])
def test_the_frame_comes_back_from_any_plain_ground(ground: int, quality: int | None) -> None:
    pixels = shown(ground)
    data = encoded(pixels) if quality is None else encoded(pixels, "JPEG", quality=quality)
    result, name = preprocess(decode(data, color=True), FRAME_SPEC)
    assert name == "product"
    assert difference(result) < 9
    outside = garment() == 0
    outside = cv2.erode(outside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert result[outside].mean() < 3


def test_an_enlarged_frame_is_not_negated() -> None:
    result, _ = preprocess(Picture(shown(0, margin=(0, 0)), True), FRAME_SPEC)
    assert difference(result) < 9


@pytest.mark.parametrize("margin", [(0, 0), (0, 90), (90, 0)])
def test_margins_do_not_matter(margin: tuple[int, int]) -> None:
    result, _ = preprocess(Picture(shown(255, margin=margin), False), FRAME_SPEC)
    expected, _ = preprocess(Picture(shown(255), False), FRAME_SPEC)
    assert np.abs(result.astype(int) - expected).mean() < 4


def test_the_outline_of_a_transparent_picture_is_the_item() -> None:
    alpha = cv2.resize((garment() > 0).astype(np.float32), (280, 280)).clip(0, 1)
    grey = 255 - cv2.resize(garment(), (280, 280), interpolation=cv2.INTER_CUBIC)
    rgba = np.dstack([grey, grey, grey, np.rint(255 * alpha).astype(np.uint8)])
    for kind in ("PNG", "WebP"):
        result, name = preprocess(
            decode(encoded(rgba, kind, lossless=True), color=True), FRAME_SPEC
        )
        assert name == "product"
        assert difference(result) < 9


@pytest.mark.parametrize(("cut", "outlines"), [(60, True), (8, False)])
def test_rounded_corners_are_no_outline(cut: int, outlines: bool) -> None:
    picture = Picture(shown(200), False)
    alpha = np.full(picture.grey.shape, 255, np.uint8)
    alpha[:cut, :cut] = 0
    result, _ = preprocess(picture._replace(alpha=alpha), FRAME_SPEC)
    expected, _ = preprocess(picture, FRAME_SPEC)
    assert np.array_equal(result, expected) != outlines


def test_a_pale_item_is_not_cut() -> None:
    pixels = np.full((300, 200), 255, np.uint8)
    pixels[50:250, 50:150] = 236  # as a white shirt is
    result, _ = preprocess(Picture(pixels, False), FRAME_SPEC)
    assert (result[:, 8:20] > 10).all()
    assert (result[:, :6] == 0).all()


def test_dirt_beside_the_item_does_not_count() -> None:
    pixels = shown(255)
    pixels[3:6, 3:6] = 0
    result, _ = preprocess(Picture(pixels, False), FRAME_SPEC)
    expected, _ = preprocess(Picture(shown(255), False), FRAME_SPEC)
    np.testing.assert_array_equal(result, expected)


def test_what_shows_through_an_item_is_background() -> None:
    pixels = np.full((280, 280), 180, np.uint8)
    pixels[40:240, 40:240] = 60
    pixels[100:180, 100:180] = 180  # under the handle of a bag
    result, _ = preprocess(Picture(pixels, False), FRAME_SPEC)
    assert result[14, 14] < 3
    assert result[2, 2] > 150


def test_where_nothing_stands_out_the_whole_picture_is_the_item() -> None:
    result, name = preprocess(Picture(np.full((90, 60), 255, np.uint8), False), FRAME_SPEC)
    assert name == "product"
    assert not result.any()


def test_the_most_frequent_level_of_the_border_is_the_background() -> None:
    textured = np.random.default_rng(0).integers(0, 200, 600, dtype=np.uint8)
    border = np.concatenate([np.full(300, 241, np.uint8), np.full(40, 243, np.uint8), textured])
    assert background_level(border) == 241


def test_sharpening_leaves_even_parts() -> None:
    even = np.full((20, 10), 77, np.uint8)
    np.testing.assert_array_equal(sharpened(even), even)
    step = np.repeat(np.array([[50, 150]], np.uint8), 5, axis=1).repeat(4, axis=0)
    assert sharpened(step)[0, 4] < 50
    assert sharpened(step)[0, 5] > 150
