"""The header of a WebP file: only its size."""

from __future__ import annotations

from fmnist_cli.decode.header import Header, check_size


def webp_header(data: bytes, max_pixels: int) -> Header | None:
    """The size of a file that starts as WebP does; None when it is damaged.

    Pillow makes room for the whole canvas as soon as it opens a file, so it has to be known before.

    Raises:
        ImageError: more than `max_pixels` pixels.
    """
    if len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width = int.from_bytes(data[26:28], "little") & 0x3FFF
        height = int.from_bytes(data[28:30], "little") & 0x3FFF
    else:
        return None
    check_size(width, height, max_pixels)
    return Header(width, height, 0, False, None)
