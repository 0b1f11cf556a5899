"""The header of a JPEG file, and whether it is whole as far as markers tell."""

from __future__ import annotations

import struct

import numpy as np

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.decode.header import Header, check_size
from fmnist_cli.decode.orientation import exif_orientation, xmp_orientation
from fmnist_cli.errors import ImageError

START = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_PADDING = 4096  # zeros after the end that still count as an ordinary file

_EXIF, _SCAN = 0xE1, 0xDA
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # among the markers 0xC0..0xCF that start a frame
# What may follow 0xFF between the start of the first scan and the end: a stuffed byte, filling,
# restarts, and tables and scans of a progressive picture.
_WITHIN = np.zeros(256, bool)
_WITHIN[[0x00, 0xFF, *range(0xD0, 0xD8), 0xC4, _SCAN]] = True
# Segments that may stand between scans, though hardly any do, and hold bytes of any value.
_HOLDS_ANYTHING = np.zeros(256, bool)
_HOLDS_ANYTHING[[0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE]] = True


def jpeg_header(data: bytes, max_pixels: int) -> Header | None:
    """The header of a file that starts with `START`; None when it is damaged.

    Raises:
        ImageError: more than `max_pixels` pixels, or a marker where there can be none.
    """
    turn: int | None = None
    turn_by_xmp: int | None = None
    frame: tuple[int, int, int, int] | None = None
    position = 2
    while position + 9 < len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _EXIF:
            if turn is None and data.startswith(b"Exif\0", position + 4):
                turn = exif_orientation(data[position + 10 : end])
            elif data.startswith(b"http://ns.adobe.com/xap/", position + 4):
                turn_by_xmp = turn_by_xmp or xmp_orientation(data[position + 4 : end])
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            precision, height, width, components = struct.unpack_from(">BHHB", data, position + 4)
            check_size(width, height, max_pixels)
            frame = precision, width, height, components
        elif marker == _SCAN:
            if frame is None:
                return None
            precision, width, height, components = frame
            # At 28×28 a colour file may still hold grey values only, which the luma cannot tell.
            plain = (
                precision == 8
                and (components == 1 or (components == 3 and (width, height) != (SIDE, SIDE)))
                and _is_whole(data, end)
            )
            return Header(width, height, components, plain, turn or turn_by_xmp or 1, True)
        position = end
    return None


def _is_whole(data: bytes, start: int) -> bool:
    """Whether the scans from `start` on go through to the end marker, which is the last one.

    Raises:
        ImageError: a marker where there can be none. Both decoders would mostly go on, with
            grey or with whatever the bits now mean.
    """
    scans = np.frombuffer(data, np.uint8, offset=min(start, len(data)))
    is_mark, following = scans[:-1] == 0xFF, scans[1:]
    if np.count_nonzero(is_mark & (following != 0)) > 1:  # unlike most files
        marks = following[is_mark]
        marks = marks[~_WITHIN[marks]]
        ends = np.flatnonzero(marks == _END[1])
        before = marks[: ends[0]] if ends.size else marks
        if before.size and not _HOLDS_ANYTHING[before].any():
            raise ImageError(
                f"damaged image: marker 0xFF{before[0]:02X} within the compressed data"
            )
        if marks.size > 1:
            return False
    # OpenCV would fill with grey what a cut-off file lacks.
    return data.endswith(_END) or data[-_PADDING:].rstrip(b"\0").endswith(_END)
