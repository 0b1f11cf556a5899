"""The header of a PNG file, and whether its checksums are right."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from fmnist_cli.decode.header import Header, check_size
from fmnist_cli.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Signature, header chunk, and what comes next: one look for the files that most writers make.
_START = struct.Struct(">8sI4sIIBBBBBII4s")
_END = b"\0\0\0\0IEND\xaeB`\x82"
# Transparency, animation and places for a rotation, which OpenCV reads its own way or not at all.
_NOT_PLAIN = {b"tRNS", b"acTL", b"eXIf", b"iTXt", b"zTXt"}
_CHANNELS = {0: 1, 2: 3, 6: 4}  # by colour type: those that OpenCV reads as Pillow does
_MAX_SIDE = 1_000_000  # libpng's limit within OpenCV


def png_header(data: bytes, max_pixels: int) -> Header | None:
    """The header of a file that starts with `SIGNATURE`; None when it is damaged.

    Raises:
        ImageError: more than `max_pixels` pixels, or a wrong checksum in what the picture needs.
    """
    if len(data) < _START.size:
        return None
    _, _, first, width, height, depth, color, *_, checksum, length, second = _START.unpack_from(
        data
    )
    if first != b"IHDR":
        return None
    check_size(width, height, max_pixels)
    channels = _CHANNELS.get(color, 0) if depth == 8 else 0
    plain = channels > 0 and width * height > 0 and max(width, height) <= _MAX_SIDE
    end = 41 + length
    if second == b"IDAT" and data[end + 4 :] == _END:  # all in one chunk, and nothing else
        view = memoryview(data)
        _check(first, view[12:29], checksum)
        _check(second, view[37:end], int.from_bytes(view[end : end + 4], "big"))
        return Header(width, height, channels, plain)
    whole = False  # OpenCV returns what it has of a cut-off file
    for kind, start in _chunks(data):
        if kind in _NOT_PLAIN or (kind == b"tEXt" and data.startswith(b"Raw profile", start)):
            plain = False
        if kind == b"IEND":
            whole = True
            break
    return Header(width, height, channels, plain and whole, None)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Type of each whole chunk, and where its content starts.

    Raises:
        ImageError: the checksum of a chunk that the picture needs is wrong.
    """
    view = memoryview(data)
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        start = position + 8
        end = start + int.from_bytes(view[position : position + 4], "big")
        if end + 4 > len(data):
            return
        if not kind[0] & 0x20:  # the picture needs it
            _check(kind, view[start - 4 : end], int.from_bytes(view[end : end + 4], "big"))
        yield kind, start
        position = end + 4


def _check(kind: bytes, content: memoryview, checksum: int) -> None:
    if zlib.crc32(content) != checksum:
        raise ImageError(f"damaged image: wrong checksum in {kind.decode('latin-1')!r}")
