"""What is known of a picture before it is decoded, and the limits that hold for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.errors import ImageError

Reduction = Callable[[int, int], int]
"""From the width and height of a picture to what both may be divided by: 1, 2, 4 or 8."""


class Header(NamedTuple):
    """What is known of a picture before it is decoded.

    Attributes:
        width: pixels, as stored.
        height: pixels, as stored.
        channels: 1 grey, 3 colour, 4 colour with transparency, 0 not known.
        plain: whether OpenCV reads it exactly as Pillow would.
        orientation: 1 to 8 as in EXIF; None when only Pillow can tell.
        is_jpeg: whether it can be decoded at a reduced size.
    """

    width: int
    height: int
    channels: int
    plain: bool
    orientation: int | None = 1
    is_jpeg: bool = False


def factor_for(width: int, height: int, reduction: Reduction) -> int:
    """What the sides of a JPEG are to be divided by, on either path; of a frame, never."""
    if (width, height) == (SIDE, SIDE):
        return 1
    factor = reduction(width, height)
    return factor if min(width, height) >= factor else 1  # where libjpeg and Pillow round apart


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse what has more than `max_pixels` pixels.

    Raises:
        ImageError: it has.
    """
    if width * height > max_pixels:
        raise ImageError(
            f"too large: {width} × {height} pixels, at most {max_pixels:,}; see --max-pixels"
        )
