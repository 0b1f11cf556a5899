"""Reduced decoding: never smaller than a preparation needs, and nearly the same frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import encoded, smooth

from fmnist_cli.prepare import MODES, PREPARATIONS, needs_color, prepare, reduction
from fmnist_cli.runtime.decode import decode

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
        ("photo", (400, 533), 4),
        ("photo", (255, 20), 1),
    ],
)
def test_the_edge_that_counts_decides(mode: str, size: tuple[int, int], factor: int) -> None:
    assert reduction(mode)(*size) == factor
    assert reduction(mode)(*reversed(size)) == factor


@settings(deadline=None, derandomize=True)
@given(width=SIDES, height=SIDES, mode=st.sampled_from(MODES))
def test_what_is_left_is_enough_or_all_there_is(width: int, height: int, mode: str) -> None:
    factor = reduction(mode)(width, height)
    assert factor in (1, 2, 4, 8)
    if factor > 1:
        left = (width // factor, height // factor)
        enough = {"frame": 56, "product": 112, "photo": 128, "auto": 128}[mode]
        assert (min(left) if mode == "frame" else max(left)) >= enough


def test_there_is_no_reduction_for_an_unknown_mode() -> None:
    with pytest.raises(KeyError):
        reduction("nothing")


@pytest.mark.parametrize("mode", sorted(PREPARATIONS))
@pytest.mark.parametrize("size", [(448, 448), (451, 601), (1803, 1201), (230, 490), (113, 120)])
def test_a_reduced_picture_becomes_nearly_the_same_frame(mode: str, size: tuple[int, int]) -> None:
    pixels = smooth(*size, 3, seed=sum(size))
    if mode == "product":
        margins = [(size[1] // 4, size[1] // 5), (size[0] // 5, size[0] // 4), (0, 0)]
        pixels = np.pad(pixels, margins, constant_values=255)
    data = encoded(pixels, "JPEG", quality=90)
    size = pixels.shape[1], pixels.shape[0]
    color = needs_color(mode)
    whole, reduced = decode(data, color=color), decode(data, reduction=reduction(mode), color=color)
    factor = reduction(mode)(*size)
    assert reduced.grey.shape == tuple(-(-side // factor) for side in whole.grey.shape)
    expected, _ = prepare(whole, mode, everything)
    frame, _ = prepare(reduced, mode, everything)
    assert np.abs(frame.astype(int) - expected).mean() < (1.5 if mode == "frame" else 4)


def everything(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Finds garment everywhere."""
    return np.ones(image.shape[:2], np.float32)


def test_a_picture_too_thin_to_be_divided_stays_whole() -> None:
    data = encoded(smooth(900, 5), "JPEG")
    assert decode(data, reduction=reduction("product")).grey.shape == (5, 900)


@pytest.mark.parametrize("after", [b"", b"more"], ids=["fast", "complete"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_of_28_pixels_is_never_reduced(channels: int, after: bytes) -> None:
    data = encoded(smooth(28, 28, channels), "JPEG") + after
    assert decode(data, reduction=lambda *_: 2).grey.shape == (28, 28)
