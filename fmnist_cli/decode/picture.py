"""A decoded picture, what makes one of colour and transparency, and whether it shows anything."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Picture
from fmnist_cli.data.fashion_mnist import SIDE

Grey = npt.NDArray[np.uint8]


def from_channels(pixels: Grey, *, color: bool, bgr: bool = False) -> Picture:
    """The picture of `pixels` [H, W, 3] or [H, W, 4], alpha last and not multiplied in.

    Args:
        pixels: uint8; not kept when they have to be turned or laid over white.
        color: whether colour is wanted, too.
        bgr: whether blue comes first, as OpenCV has it.
    """
    alpha = cv2.extractChannel(pixels, 3) if pixels.shape[2] == 4 else None
    opaque = alpha is None or bool((alpha == 255).all())
    if alpha is not None:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), np.uint8)  # or BGR
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY if bgr else cv2.COLOR_RGB2GRAY)
    colorless = opaque and _has_equal_channels(pixels)
    rgb = None
    if color and not colorless:
        rgb = _bytes(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)) if bgr else pixels
    if alpha is None or opaque:
        return Picture(_bytes(grey), colorless, color=rgb)
    # Transparency lies over white.
    grey = cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(grey), alpha, scale=1 / 255))
    if rgb is not None:
        covering = cv2.merge((alpha, alpha, alpha))
        rgb = _bytes(cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(rgb), covering, scale=1 / 255)))
    return Picture(_bytes(grey), colorless, color=rgb, alpha=_bytes(alpha))


_EVEN = 2  # levels: of garments that stand out by no more, models know one in ten, as by chance
_LOOK = 56  # pixels a side at most, which averages noise away
_LEAST = 5  # pixels of these; what is smaller is dirt


BLANK = "blank: nothing can be seen in this picture"


def is_blank(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether nothing can be seen in `pixels` [H, W] or [H, W, 3]: all even, but for noise."""
    height, width = pixels.shape[:2]
    # As much as specks can make it deviate. Nearly all pictures deviate more.
    if cv2.meanStdDev(pixels)[1].max() > 255 * math.sqrt(_LEAST / min(height * width, _LOOK**2)):
        return False
    size = min(width, _LOOK), min(height, _LOOK)
    levels = _bytes(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    levels = levels.reshape(size[0] * size[1], -1)
    differ = np.abs(levels - np.median(levels, axis=0)) > _EVEN
    return bool(np.count_nonzero(differ.any(axis=1)) < _LEAST)


def blank_among(pixels: npt.NDArray[np.uint8]) -> list[int]:
    """Which of `pixels` [N, H, W] are blank; of small ones, a few pixels of each mostly tell."""
    _, height, width = pixels.shape
    doubtful: Iterable[int] = range(len(pixels))
    if height <= _LOOK >= width:
        some = pixels.reshape(len(pixels), -1)[:, :: height * width // 28 + 1]
        if some.shape[1] >= _LEAST:
            some = np.sort(some, axis=1)
            differ = some[:, -_LEAST] - some[:, _LEAST - 1] > 2 * _EVEN
            doubtful = np.flatnonzero(~differ).tolist()
    return [index for index in doubtful if is_blank(pixels[index])]


def _bytes(values: Any) -> Grey:
    return np.asarray(values, np.uint8)


def _has_equal_channels(rgb: npt.NDArray[np.uint8]) -> bool:
    """Whether a frame was stored as colour; larger pictures are not looked through."""
    return rgb.shape[:2] == (SIDE, SIDE) and bool((rgb == rgb[:, :, :1]).all())
