"""The fast path: ordinary PNG and JPEG through OpenCV, which lets other threads run meanwhile."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from fmnist_cli.contract import Picture
from fmnist_cli.decode.header import Header
from fmnist_cli.decode.picture import Grey, from_channels

# Threads are the business of whoever decodes many pictures.
cv2.setNumThreads(1)

# A JPEG at 1/1 … 1/8, its luma as it is stored or in colour: the inverse DCT gives the
# smaller picture.
_GREY = {
    1: cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
_COLOR = {
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
_WHOLE = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR, 4: cv2.IMREAD_UNCHANGED}


def decode_plain(data: bytes, header: Header, factor: int, color: bool = False) -> Picture | None:
    """The picture in a file whose header is plain; None where OpenCV cannot read it.

    Args:
        factor: what the sides of a JPEG are divided by, rounded up: 1, 2, 4 or 8.
        color: whether colour is wanted, too.
    """
    if header.is_jpeg:
        flags = (_COLOR if color and header.channels == 3 else _GREY)[factor]
    else:
        flags = _WHOLE[header.channels]
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None  # Pillow knows the reason
    if decoded is None:
        return None
    pixels = cast("Grey", decoded)
    if header.is_jpeg:
        from fmnist_cli.decode.orientation import upright

        if pixels.ndim == 3:
            picture = from_channels(pixels, color=True, bgr=True)
        else:
            picture = Picture(pixels, header.channels == 1)
        return upright(picture, header.orientation or 1, stored=(header.width, header.height))
    if header.channels == 1:
        return Picture(pixels, True)
    return from_channels(pixels, color=color, bgr=True)
