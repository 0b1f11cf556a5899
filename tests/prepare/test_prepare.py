from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
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
from fmnist_cli.runtime.framing import Framing
from fmnist_cli.runtime.sources.base import HeldItem


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
def test_grey_28_by_28_is_a_frame_and_nothing_else(
    shape: tuple[int, int], colorless: bool, expected: str
) -> None:
    picture = Picture(grey(*shape), colorless)
    assert choose(picture) == expected
    assert prepare(picture)[1] == expected


def test_a_preparation_can_be_forced() -> None:
    result, name = prepare(Picture(frame(2), True), "product")
    assert name == "product"
    assert not np.array_equal(result, frame(2))
    assert prepare(Picture(grey(9, 50), False), "frame")[1] == "frame"


def test_modes_are_auto_and_the_preparations() -> None:
    assert ("auto", *PREPARATIONS) == MODES
    with pytest.raises(KeyError):
        prepare(Picture(grey(28, 28), True), "nothing")


# Thin, tiny and any other pictures.


def everything(image: Grey) -> npt.NDArray[np.float32]:
    """Finds garment everywhere."""
    return np.ones(image.shape[:2], np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 9), (1, 100_000), (3000, 4)])
@pytest.mark.parametrize("mode", sorted(PREPARATIONS))
def test_thin_and_tiny_pictures_become_frames(shape: tuple[int, int], mode: str) -> None:
    result, name = prepare(Picture(grey(*shape, 90), True), mode, everything)
    assert (result.shape, result.dtype, name) == ((28, 28), np.uint8, mode)
    if mode == "frame":
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
    result, _ = prepare(Picture(pixels, False), mode, everything)
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)
    again, _ = prepare(Picture(pixels, False), mode, everything)
    np.testing.assert_array_equal(result, again)


# Golden pixels.


def test_the_samples_are_prepared_as_ever() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(golden) == 13
    assert {entry["prepared"] for entry in golden.values()} == {"frame", "product"}


@pytest.mark.parametrize("name", sorted(json.loads(GOLDEN.read_text(encoding="utf-8"))))
def test_a_sample_has_its_golden_pixels(name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    content = (SAMPLES / name).read_bytes()
    result, prepared = Framing("auto")(HeldItem(name, content))
    expected = np.frombuffer(bytes.fromhex("".join(golden["rows"])), np.uint8).reshape(28, 28)
    assert prepared == golden["prepared"]
    # Releases of libjpeg and OpenCV may round differently.
    assert np.abs(result.astype(int) - expected).max() <= 1, "see regenerate_golden.py"
