"""A decoded picture, and how its size is changed."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt


class Picture(NamedTuple):
    """A decoded picture: upright, 8 bits, transparency over white.

    Attributes:
        grey: uint8 [H, W], H and W at least 1.
        colorless: whether the source had no colour and no transparency.
        full: height and width before it was decoded at a reduced size, whose sides are
            rounded up; None when `grey` is all there is.
        color: uint8 [H, W, 3], RGB; None when the source had no colour or nobody asked for it.
        alpha: uint8 [H, W], 255 = opaque; None when the picture is opaque everywhere.
    """

    grey: npt.NDArray[np.uint8]
    colorless: bool
    full: tuple[int, int] | None = None
    color: npt.NDArray[np.uint8] | None = None
    alpha: npt.NDArray[np.uint8] | None = None


def resize(pixels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """`pixels` [H, W] or [H, W, C] at another size: area averages when shrinking, else bilinear.

    The one resizer of the project: training, evaluation and serving all come here.
    """
    shrinking = width * height < pixels.shape[0] * pixels.shape[1]
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)
