"""Which way is up: what EXIF and XMP say, and turning the pixels accordingly.

Read here for JPEG rather than left to OpenCV and Pillow, whose readers differ on unusual blocks.
"""

from __future__ import annotations

import re
import struct

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.prepare.picture import Picture

Grey = npt.NDArray[np.uint8]

_TAG = 0x0112
_VALUES = {1: "B", 3: "H", 4: "I"}  # EXIF type of a whole number → its code in `struct`
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def exif_orientation(block: bytes) -> int | None:
    """The orientation in an EXIF block (from its byte order mark on), 1 to 8; None without."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return None
    try:
        (position,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, position)
        for entry in range(position + 2, position + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(order + "HH", block, entry)
            if tag == _TAG:
                (value,) = struct.unpack_from(order + _VALUES[kind], block, entry + 8)
                return value if 1 <= value <= 8 else None
    except (struct.error, KeyError):
        return None  # damaged, but no reason to reject the picture
    return None


def xmp_orientation(packet: bytes) -> int | None:
    """The orientation in an XMP packet, 1 to 8; None without."""
    found = _XMP.search(packet)
    return None if found is None else int(found[1])


def upright(
    grey: Grey, orientation: int, *, colorless: bool, stored: tuple[int, int] | None = None
) -> Picture:
    """The picture of grey pixels as they are stored.

    Args:
        orientation: as in EXIF.
        stored: width and height as stored, when `grey` may be a reduced version.
    """
    full = None
    if stored is not None and grey.shape != stored[::-1]:
        full = stored if 5 <= orientation <= 8 else stored[::-1]
    return Picture(turned_upright(grey, orientation), colorless, full)


def turned_upright(grey: Grey, orientation: int) -> Grey:
    """`grey` [H, W] as it was meant to be seen; [W, H] for 5 to 8.

    Args:
        orientation: as in EXIF; everything but 2 to 8 leaves it as it is.
    """
    match orientation:
        case 2:
            turned = cv2.flip(grey, 1)
        case 3:
            turned = cv2.rotate(grey, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(grey, 0)
        case 5:
            turned = cv2.transpose(grey)
        case 6:
            turned = cv2.rotate(grey, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(grey), -1)
        case 8:
            turned = cv2.rotate(grey, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return grey
    return np.asarray(turned, np.uint8)
