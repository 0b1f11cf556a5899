"""The fast path: ordinary PNG and JPEG through OpenCV, which lets other threads run meanwhile."""

from __future__ import annotations

import cv2
import numpy as np

from fmnist_cli.prepare.picture import Picture
from fmnist_cli.runtime.decode.header import Header
from fmnist_cli.runtime.decode.pixels import has_equal_channels, over_white

# Threads are the business of whoever decodes many pictures.
cv2.setNumThreads(1)

# The luma of a JPEG as it is stored, at 1/1 … 1/8: the inverse DCT gives the smaller picture.
_REDUCED = {
    1: cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
_WHOLE = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR, 4: cv2.IMREAD_UNCHANGED}


def decode_plain(data: bytes, header: Header, factor: int) -> Picture | None:
    """The picture in a file whose header is plain; None where OpenCV cannot read it.

    Args:
        factor: what the sides of a JPEG are divided by, rounded up: 1, 2, 4 or 8.
    """
    flags = _REDUCED[factor] if header.is_jpeg else _WHOLE[header.channels]
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None  # Pillow knows the reason
    if decoded is None:
        return None
    pixels = np.asarray(decoded, np.uint8)
    if header.is_jpeg:
        from fmnist_cli.runtime.decode.orientation import upright

        stored = header.width, header.height
        grey_only = header.channels == 1
        return upright(pixels, header.orientation or 1, colorless=grey_only, stored=stored)
    if header.channels == 1:
        return Picture(pixels, True)
    if header.channels == 3:
        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        return Picture(grey, has_equal_channels(pixels))
    return Picture(over_white(pixels, cv2.COLOR_BGRA2GRAY), False)
