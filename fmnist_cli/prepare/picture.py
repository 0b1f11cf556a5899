"""A decoded picture, and the frame it becomes."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]  # [28, 28], 0 = background


class Picture(NamedTuple):
    """A decoded picture: upright, without transparency, in 8-bit grey.

    Attributes:
        grey: uint8 [H, W], H and W at least 1.
        colorless: whether the source had no colour and no transparency.
        full: height and width before it was decoded at a reduced size, whose sides are
            rounded up; None when `grey` is all there is.
    """

    grey: npt.NDArray[np.uint8]
    colorless: bool
    full: tuple[int, int] | None = None


def resize(grey: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """`grey` at another size: area averages when shrinking, else bilinear.

    The one resizer of the project: training, evaluation and serving all come here.
    """
    shrinking = width * height < grey.shape[0] * grey.shape[1]
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=interpolation), np.uint8)
