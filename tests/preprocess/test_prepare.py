from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pictures import Grey, encoded, frame
from PIL import Image
from regenerate_golden import BOX, GOLDEN, SAMPLES

from fmnist_cli.contract import InputSpec, Picture
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.errors import UsageError
from fmnist_cli.preprocess import (
    MODES,
    PREPARATIONS,
    check_mode,
    check_spec,
    from_frames,
    needs_color,
    preprocess,
)
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.preprocess.resize import resize
from fmnist_cli.sources.items import HeldItem


def grey(height: int, width: int, level: int = 0) -> Grey:
    return np.full((height, width), level, np.uint8)


# Which preparation.


@pytest.mark.parametrize("mode", ["auto", "frame"])
@pytest.mark.parametrize("stored", ["L", "RGB"])
def test_a_frame_is_untouched_bit_for_bit(mode: str, stored: str) -> None:
    pixels = frame(1)
    picture = decode(encoded(Image.fromarray(pixels).convert(stored)))
    result, name = preprocess(picture, FRAME_SPEC, mode)
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
    assert preprocess(picture, FRAME_SPEC)[1] == expected


def test_a_preparation_can_be_forced() -> None:
    result, name = preprocess(Picture(frame(2), True), FRAME_SPEC, "product")
    assert name == "product"
    assert not np.array_equal(result, frame(2))
    assert preprocess(Picture(grey(9, 50), False), FRAME_SPEC, "frame")[1] == "frame"


def test_a_reduced_picture_of_a_frame_s_size_is_none() -> None:
    picture = Picture(grey(28, 28), True, full=(224, 224))
    assert preprocess(picture, FRAME_SPEC)[1] == "product"


def test_only_models_of_frames_let_their_user_choose() -> None:
    for mode in MODES:
        check_mode(mode, FRAME_SPEC)
    check_mode("auto", BOX)
    with pytest.raises(UsageError, match=r"--prepare product .* \(letterbox\)"):
        check_mode("product", BOX)
    with pytest.raises(UsageError, match="choose from auto, frame, product"):
        check_mode("letterbox", BOX)
    with pytest.raises(KeyError):
        preprocess(Picture(grey(28, 28), True), FRAME_SPEC, "nothing")


def test_a_card_can_ask_for_what_there_is() -> None:
    check_spec(FRAME_SPEC)
    check_spec(BOX)
    check_spec(BOX._replace(color="grey"))
    with pytest.raises(ValueError, match="'crop' is unknown; a newer fmnist"):
        check_spec(BOX._replace(preprocessing="crop"))
    with pytest.raises(ValueError, match="'frame' makes no rgb pixels"):
        check_spec(BOX._replace(preprocessing="auto"))


def test_images_of_the_data_set_become_what_any_model_wants() -> None:
    frames = np.stack([frame(seed) for seed in range(3)])
    assert from_frames(frames, FRAME_SPEC) is frames
    boxes = from_frames(frames, BOX)
    assert (boxes.shape, boxes.dtype) == ((3, 24, 16, 3), np.uint8)
    np.testing.assert_array_equal(boxes[2], preprocess(Picture(frames[2], True), BOX)[0])
    large = FRAME_SPEC._replace(height=64, width=64)
    np.testing.assert_array_equal(from_frames(frames, large)[1], resize(frames[1], 64, 64))
    assert from_frames(frames[:0], BOX).shape == (0, 24, 16, 3)


# Thin, tiny and any other pictures.


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 9), (1, 100_000), (3000, 4)])
@pytest.mark.parametrize("mode", sorted(PREPARATIONS))
def test_thin_and_tiny_pictures_become_frames(shape: tuple[int, int], mode: str) -> None:
    result, name = preprocess(Picture(grey(*shape, 90), True), FRAME_SPEC, mode)
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
    result, _ = preprocess(Picture(pixels, False), FRAME_SPEC, mode)
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)
    again, _ = preprocess(Picture(pixels, False), FRAME_SPEC, mode)
    np.testing.assert_array_equal(result, again)


# The whole picture in a box.


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (24, 16), (48, 32), (3000, 4)])
@pytest.mark.parametrize("colored", [True, False])
def test_any_picture_fits_the_box(shape: tuple[int, int], colored: bool) -> None:
    color = np.full((*shape, 3), (10, 200, 30), np.uint8) if colored else None
    picture = Picture(grey(*shape, 7), False, color=color)
    result, name = preprocess(picture, BOX)
    assert (result.shape, result.dtype, name) == ((24, 16, 3), np.uint8, "letterbox")
    level = np.array([10, 200, 30] if colored else [7, 7, 7], np.uint8)
    scale = min(24 / shape[0], 16 / shape[1])
    height, width = (max(1, round(side * scale)) for side in shape)
    inside = np.zeros((24, 16), bool)
    top, left = (24 - height) // 2, (16 - width) // 2
    inside[top : top + height, left : left + width] = True
    assert (result[inside] == level).all()
    assert (result[~inside] == 90).all()


def test_a_box_is_grey_for_a_model_in_grey_and_its_ground_too() -> None:
    spec = InputSpec(10, 20, "grey", "letterbox")
    result, _ = preprocess(Picture(grey(5, 5, 33), True), spec)
    np.testing.assert_array_equal(result[:, 5:15], grey(10, 10, 33))
    np.testing.assert_array_equal(result[:, :5], grey(10, 5, 127))
    assert not needs_color(spec)
    assert needs_color(BOX)


def test_how_large_a_picture_was_decides_where_it_lies_in_the_box() -> None:
    spec = InputSpec(100, 100, "grey", "letterbox")
    result, _ = preprocess(Picture(grey(13, 40, 0), True, full=(100, 313)), spec)
    assert np.flatnonzero((result == 0).all(axis=1)).tolist() == list(range(34, 66))


# Golden pixels.


def test_the_samples_are_prepared_as_ever() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(golden) == 13
    assert {entry["prepared"] for entry in golden.values()} == {"frame", "product"}


@pytest.mark.parametrize("name", sorted(json.loads(GOLDEN.read_text(encoding="utf-8"))))
def test_a_sample_has_its_golden_pixels(name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    content = (SAMPLES / name).read_bytes()
    for spec, key in ((FRAME_SPEC, "rows"), (BOX, "letterbox")):
        result, prepared = Framing(spec)(HeldItem(name, content))
        expected = np.frombuffer(bytes.fromhex("".join(golden[key])), np.uint8)
        assert prepared == golden["prepared"] if key == "rows" else "letterbox"
        # Releases of libjpeg and OpenCV may round differently.
        difference = np.abs(result.astype(int) - expected.reshape(spec.shape))
        assert difference.max() <= 1, "see regenerate_golden.py"
