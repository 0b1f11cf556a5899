"""Reduced decoding: never smaller than a preparation needs, and nearly the same frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import encoded, smooth

from fmnist_cli.contract import InputSpec
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.preprocess import MODES, needs_color, preprocess, reduction

SIDES = st.integers(1, 20_000)


@pytest.mark.parametrize(
    ("mode", "size", "factor"),
    [
        ("product", (896, 1), 8),
        ("product", (895, 300), 4),
        ("product", (100, 448), 4),
        ("product", (447, 10), 2),
        ("product", (223, 223), 1),
        ("frame", (4000, 448), 8),
        ("frame", (447, 4000), 4),
        ("frame", (112, 112), 2),
        ("frame", (28, 28), 1),
        ("auto", (28, 28), 1),
        ("auto", (3000, 4000), 8),
        ("auto", (1023, 600), 4),
        ("letterbox", (448, 20), 8),
        ("letterbox", (447, 20), 4),
        ("letterbox", (111, 111), 1),
    ],
)
def test_the_edge_that_counts_decides(mode: str, size: tuple[int, int], factor: int) -> None:
    assert reduction(FRAME_SPEC, mode)(*size) == factor
    assert reduction(FRAME_SPEC, mode)(*reversed(size)) == factor


@settings(deadline=None, derandomize=True)
@given(width=SIDES, height=SIDES, mode=st.sampled_from(MODES))
def test_what_is_left_is_enough_or_all_there_is(width: int, height: int, mode: str) -> None:
    factor = reduction(FRAME_SPEC, mode)(width, height)
    assert factor in (1, 2, 4, 8)
    if factor > 1:
        left = (width // factor, height // factor)
        enough = {"frame": 56, "product": 112, "auto": 128}[mode]
        assert (min(left) if mode == "frame" else max(left)) >= enough


@settings(deadline=None, derandomize=True)
@given(width=SIDES, height=SIDES)
def test_twice_the_size_in_the_box_is_left_upright_or_turned(width: int, height: int) -> None:
    spec = InputSpec(60, 90, "rgb", "letterbox")
    factor = reduction(spec)(width, height)
    assert factor == reduction(spec)(height, width)
    for size in ((width, height), (height, width)):
        scale = min(90 / size[0], 60 / size[1])
        assert factor == 1 or factor * 2 * scale <= 1 + 1e-9


def test_there_is_no_reduction_for_an_unknown_mode() -> None:
    with pytest.raises(KeyError):
        reduction(FRAME_SPEC, "nothing")


@pytest.mark.parametrize("mode", ["frame", "product", "letterbox", "colour"])
@pytest.mark.parametrize("size", [(448, 448), (451, 601), (1803, 1201), (230, 490), (113, 120)])
def test_a_reduced_picture_becomes_nearly_the_same_frame(mode: str, size: tuple[int, int]) -> None:
    pixels = smooth(*size, 3, seed=sum(size))
    if mode == "product":
        margins = [(size[1] // 4, size[1] // 5), (size[0] // 5, size[0] // 4), (0, 0)]
        pixels = np.pad(pixels, margins, constant_values=255)
    data = encoded(pixels, "JPEG", quality=90)
    size = pixels.shape[1], pixels.shape[0]
    spec = FRAME_SPEC
    if mode == "colour":
        spec, mode = InputSpec(28, 40, "rgb", "letterbox"), "auto"
    smaller, color = reduction(spec, mode), needs_color(spec, mode)
    whole, reduced = decode(data, color=color), decode(data, reduction=smaller, color=color)
    factor = smaller(*size)
    assert reduced.grey.shape == tuple(-(-side // factor) for side in whole.grey.shape)
    expected, _ = preprocess(whole, spec, mode)
    frame, _ = preprocess(reduced, spec, mode)
    assert np.abs(frame.astype(int) - expected).mean() < (1.5 if mode == "frame" else 4)


def test_a_picture_too_thin_to_be_divided_stays_whole() -> None:
    data = encoded(smooth(900, 5), "JPEG")
    assert decode(data, reduction=reduction(FRAME_SPEC, "product")).grey.shape == (5, 900)


@pytest.mark.parametrize("after", [b"", b"more"], ids=["fast", "complete"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_of_28_pixels_is_never_reduced(channels: int, after: bytes) -> None:
    data = encoded(smooth(28, 28, channels), "JPEG") + after
    assert decode(data, reduction=lambda *_: 2).grey.shape == (28, 28)
