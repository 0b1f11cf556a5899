from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pictures import Grey, encoded, frame
from PIL import Image
from regenerate_golden import GOLDEN, SAMPLES

from fmnist_cli.prepare import MODES, PREPARATIONS, choose, prepare
from fmnist_cli.prepare.picture import Picture, resize
from fmnist_cli.runtime.decode import decode


def grey(height: int, width: int, level: int = 0) -> Grey:
    return np.full((height, width), level, np.uint8)


# Which preparation.


@pytest.mark.parametrize("mode", ["auto", "frame"])
@pytest.mark.parametrize("stored", ["L", "RGB"])
def test_a_frame_is_untouched_bit_for_bit(mode: str, stored: str) -> None:
    pixels = frame(1)
    picture = decode(encoded(Image.fromarray(pixels).convert(stored)))
    result, name = prepare(picture, mode)
    np.testing.assert_array_equal(result, pixels)
    assert name == "frame"


@pytest.mark.parametrize(
    ("shape", "colorless", "expected"),
    [
        ((28, 28), True, "frame"),
        ((28, 28), False, "product"),
        ((28, 27), True, "product"),
        ((56, 56), True, "product"),
        ((1, 1), True, "product"),
    ],
)
def test_auto_takes_grey_28_by_28_as_a_frame_and_nothing_else(
    shape: tuple[int, int], colorless: bool, expected: str
) -> None:
    picture = Picture(grey(*shape), colorless)
    assert choose(picture) == expected
    assert prepare(picture)[1] == expected


def test_a_preparation_can_be_forced() -> None:
    pixels = np.subtract(255, frame(2) // 8, dtype=np.uint8)
    result, name = prepare(Picture(pixels, True), "product")
    assert name == "product"
    np.testing.assert_array_equal(result, 255 - pixels)
    assert prepare(Picture(grey(9, 50), False), "frame")[1] == "frame"


def test_modes_are_auto_and_the_preparations() -> None:
    assert ("auto", *PREPARATIONS) == MODES
    with pytest.raises(KeyError):
        prepare(Picture(grey(28, 28), True), "nothing")


# Product pictures.


@pytest.mark.parametrize(("height", "width"), [(280, 140), (140, 280), (16, 8), (8, 16)])
@pytest.mark.parametrize(("border", "garment"), [(250, 90), (5, 160)])
def test_a_product_is_letterboxed_and_light_on_dark(
    height: int, width: int, border: int, garment: int
) -> None:
    pixels = grey(height, width, border)
    pixels[height // 4 : -(height // 4), width // 4 : -(width // 4)] = garment
    result, _ = prepare(Picture(pixels, False))
    negated = border > 127
    background, inside = (255 - border, 255 - garment) if negated else (border, garment)
    assert result[14, 14] == inside
    assert {int(result[corner]) for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1))} == {background}
    # The aspect is kept: the garment covers half of each side of the picture.
    tall, wide = (14, 7) if height > width else (7, 14)
    levels = result.astype(int)
    inner = np.abs(levels - inside) < np.abs(levels - background)
    assert abs(int(inner.any(axis=1).sum()) - tall) <= 2
    assert abs(int(inner.any(axis=0).sum()) - wide) <= 2


def test_bars_take_the_level_of_the_border() -> None:
    pixels = grey(100, 40, 230)
    pixels[30:70, 10:30] = 10
    result, _ = prepare(Picture(pixels, False))
    assert (result[:, :8] == 25).all()
    assert (result[:, -8:] == 25).all()


def test_a_border_of_the_middle_is_decided() -> None:
    assert prepare(Picture(grey(40, 40, 127), False))[0][0, 0] == 127
    assert prepare(Picture(grey(40, 40, 128), False))[0][0, 0] == 127


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 9), (1, 100_000), (3000, 4)])
@pytest.mark.parametrize("mode", ["frame", "product"])
def test_thin_and_tiny_pictures_become_frames(shape: tuple[int, int], mode: str) -> None:
    result, _ = prepare(Picture(grey(*shape, 90), True), mode)
    np.testing.assert_array_equal(result, grey(28, 28, 90))


def test_large_pictures_are_averaged_not_sampled() -> None:
    stripes = np.tile(np.array([0, 200], np.uint8), (280, 140))
    np.testing.assert_array_equal(resize(stripes, 28, 28), grey(28, 28, 100))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    pixels=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=60)),
    mode=st.sampled_from(sorted(PREPARATIONS)),
)
def test_every_picture_becomes_a_frame_of_its_own(pixels: Grey, mode: str) -> None:
    before = pixels.copy()
    result, _ = prepare(Picture(pixels, False), mode)
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)
    again, _ = prepare(Picture(pixels, False), mode)
    np.testing.assert_array_equal(result, again)


# Golden pixels.


def test_the_samples_are_prepared_as_ever() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(golden) == 13
    assert {entry["prepared"] for entry in golden.values()} == {"frame", "product"}


@pytest.mark.parametrize("name", sorted(json.loads(GOLDEN.read_text(encoding="utf-8"))))
def test_a_sample_has_its_golden_pixels(name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    content = (SAMPLES / Path(name)).read_bytes()
    result, prepared = prepare(decode(content))
    expected = np.frombuffer(bytes.fromhex("".join(golden["rows"])), np.uint8).reshape(28, 28)
    assert prepared == golden["prepared"]
    # Releases of libjpeg and OpenCV may round differently.
    assert np.abs(result.astype(int) - expected).max() <= 1, "see regenerate_golden.py"
