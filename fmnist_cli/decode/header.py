"""What is known of a picture before it is decoded: its size, its pixels, whether it is whole."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.errors import ImageError

# Bytes of memory that a pixel takes, at most, until the picture is made (measured): by OpenCV for
# each number of channels; in WebP, without and with transparency.
OPENCV_BYTES = {1: 4, 3: 8, 4: 24}
MOST_OPENCV_BYTES = max(OPENCV_BYTES.values())
_WEBP_BYTES, _WEBP_ALPHA_BYTES = 24, 32

MEMORY = 1 << 30  # bytes that one picture may take

_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_PADDING = 4096  # zeros after the end that still count as an ordinary file

_APP1, _APP2, _SCAN = 0xE1, 0xE2, 0xDA
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_ICC = b"ICC_PROFILE\0"
_SEGMENTS = 10_000  # before the first scan
_SCANS = 100  # of a progressive JPEG: each goes over the whole picture, however short it is
_FILLING = 65_536  # bytes between segments
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xda-\xfe]")
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # among the markers 0xC0..0xCF that start a frame
# What may follow 0xFF between the start of the first scan and the end: a stuffed byte, filling,
# restarts, and tables and scans of a progressive picture.
_WITHIN = np.zeros(256, bool)
_WITHIN[[0x00, 0xFF, *range(0xD0, 0xD8), 0xC4, _SCAN]] = True
# Segments that may stand between scans, though hardly any do, and hold bytes of any value.
_HOLDS_ANYTHING = np.zeros(256, bool)
_HOLDS_ANYTHING[[0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE]] = True

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Signature, header chunk, and what comes next: one look for the files that most writers make.
_PNG_START = struct.Struct(">8sI4sIIBBBBBII4s")
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
# Transparency, animation and places for a rotation, which OpenCV reads its own way or not at all.
_NOT_PLAIN = {b"tRNS", b"acTL", b"eXIf", b"iTXt", b"zTXt"}
_CHANNELS = {0: 1, 2: 3, 6: 4}  # by colour type: those that OpenCV reads as Pillow does
_CHUNKS = 100_000
_PROFILE = 1 << 20  # bytes of a profile, of which Pillow takes no more; larger ones are not heeded
_MAX_SIDE = 1_000_000  # libpng's limit within OpenCV

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


def check_memory(width: int, height: int, taken: int, memory: int) -> None:
    """Refuse what takes more than `memory` bytes to decode, before anything is taken.

    Args:
        width, height: pixels.
        taken: bytes for each pixel, at most.
        memory: bytes that there are.

    Raises:
        ImageError: it takes more.
    """
    if width * height * taken > memory:
        raise ImageError(
            f"too large: {width} × {height} pixels take {width * height * taken >> 20:,} MiB of"
            f" memory to decode, at most {memory >> 20:,}; see --memory"
        )


def read_header(data: bytes, max_pixels: int, memory: int = MEMORY) -> Header | None:
    """The header of a PNG, JPEG or WebP file; None for other kinds and for what is damaged.

    Raises:
        ImageError: more than `max_pixels` pixels, a WebP file that takes more than `memory` bytes
            as soon as it is opened, or a wrong checksum.
    """
    if data.startswith(_PNG_SIGNATURE):
        return _png_header(data, max_pixels)
    if data.startswith(_JPEG_START):
        return _jpeg_header(data, max_pixels)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp_header(data, max_pixels, memory)
    return None


def _jpeg_header(data: bytes, max_pixels: int) -> Header | None:
    """The header of a file that starts with a start of image; None when it is damaged.

    Raises:
        ImageError: more than `max_pixels` pixels, a marker where there can be none, or more
            segments, scans or filling than pictures have.
    """
    turn: int | None = None
    packets: list[bytes] = []  # of XMP
    more: list[tuple[bytes, bytes]] = []  # of a packet that is too long for a segment
    pieces: list[bytes] = []  # of a colour profile
    frame: tuple[int, int, int, int] | None = None
    lossless = odd = False
    filling = 0
    position = 2
    for _ in range(_SEGMENTS):
        # Pillow takes each byte between segments by itself, so it is not given many.
        found = _MARKER.search(data, position)
        start = len(data) if found is None else found.start()
        filling += start - position
        if filling > _FILLING:
            raise ImageError(f"damaged image: {filling:,} bytes between its segments")
        odd = odd or data.count(b"\xff", position, start) < start - position
        position = start
        if position + 9 >= len(data):
            return None
        marker = data[position + 1]
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _APP1:
            from fmnist_cli.decode.orientation import XMP_MARK, exif_orientation

            if turn is None and data.startswith(b"Exif\0", position + 4):
                turn = exif_orientation(data[position + 10 : end])
            elif data.startswith(XMP_MARK, position + 4):
                packets.append(data[position + 4 + len(XMP_MARK) : end])
            elif data.startswith(_MORE_XMP, position + 4):
                place = position + 4 + len(_MORE_XMP) + 40  # behind name, size and offset
                more.append((data[place - 4 : place], data[place:end]))
        elif marker == _APP2 and data.startswith(_ICC, position + 4):
            pieces.append(data[position + 4 + len(_ICC) : end])
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            precision, height, width, components = struct.unpack_from(">BHHB", data, position + 4)
            check_size(width, height, max_pixels)
            frame = precision, width, height, components
            lossless = marker & 3 == 3
        elif marker == _SCAN:
            if frame is None:
                return None
            precision, width, height, components = frame
            whole = _is_whole(data, end)
            # At 28×28 a colour file may still hold grey values only, which the luma cannot tell.
            plain = (
                precision == 8
                and not (lossless or odd)
                and (components == 1 or (components == 3 and (width, height) != (SIDE, SIDE)))
                and (not pieces or _is_srgb_in(pieces))
                and whole
            )
            if turn is None and (packets or more):
                from fmnist_cli.decode.orientation import xmp_orientation

                packets.append(b"".join(piece for _, piece in sorted(more)))
                turn = next(filter(None, map(xmp_orientation, packets)), None)
            return Header(width, height, components, plain, turn or 1, not lossless)
        position = end
    raise ImageError(f"damaged image: more than {_SEGMENTS:,} segments")


def _is_srgb_in(pieces: list[bytes]) -> bool:
    """Whether a profile, whose pieces begin with their number, is that of sRGB."""
    from fmnist_cli.decode.color import is_srgb

    return is_srgb(b"".join(piece[2:] for piece in sorted(pieces)))


def _is_whole(data: bytes, start: int) -> bool:
    """Whether the scans from `start` on go through to the end marker, which is the last one.

    Raises:
        ImageError: more scans than pictures have, or a marker where there can be none. Both
            decoders would mostly go on, with grey or with whatever the bits now mean.
    """
    scans = np.frombuffer(data, np.uint8, offset=min(start, len(data)))
    is_mark, following = scans[:-1] == 0xFF, scans[1:]
    if np.count_nonzero(is_mark & (following != 0)) > 1:  # unlike most files
        marks = following[is_mark]
        ends = np.flatnonzero(marks == _JPEG_END[1])
        if np.count_nonzero(marks[: ends[0] if ends.size else None] == _SCAN) > _SCANS:
            raise ImageError(f"damaged image: more than {_SCANS} scans")
        marks = marks[~_WITHIN[marks]]
        ends = np.flatnonzero(marks == _JPEG_END[1])
        before = marks[: ends[0]] if ends.size else marks
        if before.size and not _HOLDS_ANYTHING[before].any():
            raise ImageError(
                f"damaged image: marker 0xFF{before[0]:02X} within the compressed data"
            )
        if marks.size > 1:
            return False
    # OpenCV would fill with grey what a cut-off file lacks.
    return data.endswith(_JPEG_END) or data[-_PADDING:].rstrip(b"\0").endswith(_JPEG_END)


def _png_header(data: bytes, max_pixels: int) -> Header | None:
    """The header of a file that starts with PNG's signature; None when it is damaged.

    Raises:
        ImageError: more than `max_pixels` pixels, or a wrong checksum in what the picture needs.
    """
    if len(data) < _PNG_START.size:
        return None
    _, _, first, width, height, depth, color, *_, checksum, length, second = _PNG_START.unpack_from(
        data
    )
    if first == b"CgBI":
        raise ImageError("a PNG in Xcode's own form (CgBI), which is not read; convert it to PNG")
    if first != b"IHDR":
        return None
    check_size(width, height, max_pixels)
    channels = _CHANNELS.get(color, 0) if depth == 8 else 0
    plain = channels > 0 and width * height > 0 and max(width, height) <= _MAX_SIDE
    end = 41 + length
    if second == b"IDAT" and data[end + 4 :] == _PNG_END:  # all in one chunk, and nothing else
        view = memoryview(data)
        _check_sum(first, view[12:29], checksum)
        _check_sum(second, view[37:end], int.from_bytes(view[end : end + 4], "big"))
        return Header(width, height, channels, plain)
    whole = False  # OpenCV returns what it has of a cut-off file
    gamma: bytes | None = None
    for kind, start, end in _chunks(data):
        if kind in _NOT_PLAIN or (kind == b"tEXt" and data.startswith(b"Raw profile", start)):
            plain = False
        elif kind == b"iCCP":
            plain = plain and (end - start > _PROFILE or _is_srgb_chunk(data[start:end]))
            gamma = b""
        elif kind == b"sRGB":
            gamma = b""
        elif kind == b"gAMA" and gamma is None:
            gamma = data[start : min(end, start + 4)]
        if kind == b"IEND":
            whole = True
            break
    if plain and gamma:
        from fmnist_cli.decode.color import is_usual_gamma

        plain = is_usual_gamma(int.from_bytes(gamma, "big") / 100_000)
    return Header(width, height, channels, plain and whole, None)


@lru_cache(maxsize=8)
def _is_srgb_chunk(chunk: bytes) -> bool:
    """Whether a PNG's profile, which is named and compressed, is that of sRGB."""
    from fmnist_cli.decode.color import is_srgb

    packed = chunk.partition(b"\0")[2][1:]
    try:
        profile = zlib.decompressobj().decompress(packed, _PROFILE)
    except zlib.error:
        return True  # of no use
    return len(profile) == _PROFILE or is_srgb(profile)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type of each whole chunk, and where its content starts and ends.

    Raises:
        ImageError: the checksum of a chunk that the picture needs is wrong, or there are more
            chunks than pictures have.
    """
    view = memoryview(data)
    position = len(_PNG_SIGNATURE)
    for _ in range(_CHUNKS):
        if position + 12 > len(data):
            return
        kind = data[position + 4 : position + 8]
        start = position + 8
        end = start + int.from_bytes(view[position : position + 4], "big")
        if end + 4 > len(data):
            return
        if not kind[0] & 0x20:  # the picture needs it
            _check_sum(kind, view[start - 4 : end], int.from_bytes(view[end : end + 4], "big"))
        yield kind, start, end
        position = end + 4
    raise ImageError(f"damaged image: more than {_CHUNKS:,} chunks")


def _check_sum(kind: bytes, content: memoryview, checksum: int) -> None:
    if zlib.crc32(content) != checksum:
        raise ImageError(f"damaged image: wrong checksum in {kind.decode('latin-1')!r}")


def _webp_header(data: bytes, max_pixels: int, memory: int) -> Header | None:
    """The size of a file that starts as WebP does; None when it is damaged.

    Pillow makes room for the whole canvas as soon as it opens a file, so it has to be known before.

    Raises:
        ImageError: more than `max_pixels` pixels.
    """
    if len(data) < 30:
        return None
    kind = data[12:16]
    # Transparency is announced, as in lossless pictures, in a bit; ordinary ones have none.
    alpha = (kind == b"VP8X" and data[20] & 0x10) or (kind == b"VP8L" and data[24] & 0x10)
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
    check_memory(width, height, _WEBP_ALPHA_BYTES if alpha else _WEBP_BYTES, memory)
    return Header(width, height, 0, False, None)
