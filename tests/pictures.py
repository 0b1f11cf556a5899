"""Pictures for the tests, encoded by Pillow or by hand."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Grey = npt.NDArray[np.uint8]


def frame(seed: int = 0) -> Grey:
    """A random grey frame, 28×28."""
    return np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)


def smooth(width: int, height: int, channels: int = 1, seed: int = 0) -> Grey:
    """A picture without sharp edges, as JPEG likes it: [H, W] or [H, W, C]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 196, (4, 4, channels), dtype=np.uint8)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, np.uint8)


def encoded(array: npt.NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture file; `options` go to Pillow's `save`."""
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    """An EXIF block that says how the picture is turned."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A PNG chunk with a right checksum."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(
    width: int, height: int, stream: bytes, *, depth: int = 8, extra: bytes = b"", color: int = 0
) -> bytes:
    """A PNG written by hand around a compressed stream; `extra` are chunks before it."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", stream) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + body


def png_stream(rows: npt.NDArray[Any]) -> bytes:
    """The compressed stream of some rows: no filter, big-endian values."""
    big = rows.astype(rows.dtype.newbyteorder(">"))
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in big))
