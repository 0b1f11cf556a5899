"""Bytes of a picture file → `Picture`, by content and never by name.

Two paths give the same picture: OpenCV for the plain kinds that make up most folders
(8-bit PNG, ordinary JPEG), Pillow for everything else. The header decides. docs/decoding.md
says what happens to each kind.
"""

from __future__ import annotations

from fmnist_cli.contract import Picture
from fmnist_cli.decode.header import (
    MEMORY,
    MOST_OPENCV_BYTES,
    OPENCV_BYTES,
    Reduction,
    check_memory,
    factor_for,
    read_header,
)
from fmnist_cli.decode.plain import decode_plain
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.kinds import looks_like_image

MAX_PIXELS = 120_000_000  # the largest phone photos fit; decompression bombs do not

__all__ = [
    "MAX_PIXELS",
    "MEMORY",
    "Reduction",
    "decode",
    "looks_like_image",
    "read_header",
    "whole",
]


def whole(width: int, height: int) -> int:
    """The reduction of nothing: 1."""
    del width, height
    return 1


def decode(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    reduction: Reduction = whole,
    color: bool = False,
    memory: int = MEMORY,
) -> Picture:
    """The picture in a file: upright, 8 bits, transparency over white.

    Deep values are scaled, not clipped; colours are those of sRGB; of an animation the first
    frame that is not blank is taken.

    Args:
        data: the whole file.
        max_pixels: the most pixels that the file may have, as stored.
        reduction: how much smaller a JPEG may be decoded, which saves most of its time;
            see `fmnist_cli.preprocess.reduction`. Sides are divided and rounded up.
        color: whether colour is wanted beside grey; of a JPEG grey is then made from the
            colours and not the luma as it is stored.
        memory: bytes that it may take until the picture is made.

    Raises:
        ImageError: no picture, damaged, cut off, or more than `max_pixels` pixels or `memory`.
    """
    if not data:
        raise ImageError("empty file")
    header = read_header(data, max_pixels, memory)
    if header is not None and header.plain:
        factor = factor_for(header.width, header.height, reduction) if header.is_jpeg else 1
        if header.width * header.height * MOST_OPENCV_BYTES > memory:  # as hardly any
            size = header.width // factor, header.height // factor
            check_memory(*size, OPENCV_BYTES[header.channels], memory)
        picture = decode_plain(data, header, factor, color)
        if picture is not None:
            return picture
    # Pillow costs a third of the start of the command, and most folders never need it.
    from fmnist_cli.decode.complete import decode_complete

    orientation = None if header is None else header.orientation
    fitting = reduction if header is None or header.is_jpeg else None
    return decode_complete(data, orientation, max_pixels, fitting, color, memory)
