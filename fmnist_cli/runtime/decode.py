"""Bytes of a picture file → `Picture`, by content and never by name.

Two paths give the same picture: OpenCV for the plain kinds that make up most folders
(8-bit grey PNG, ordinary JPEG), Pillow for everything else. The header decides.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from fmnist_cli.contract import SIDE
from fmnist_cli.errors import ImageError
from fmnist_cli.prepare.picture import Picture

MAX_PIXELS = 178_956_970  # Pillow's own limit for an error: about 13,400 × 13,400

# `decode` checks its own limit from the header; Pillow would warn at half of it.
Image.MAX_IMAGE_PIXELS = None
# Threads are the runner's business.
cv2.setNumThreads(1)

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    plain: bool  # OpenCV reads it exactly as Pillow would
    colorless: bool


def looks_like_image(head: bytes) -> bool:
    """Whether the first 16 bytes (or more) of a file are those of a common picture format."""
    return (
        head.startswith((_PNG_SIGNATURE, _JPEG_START, b"GIF8", b"BM", b"II*\0", b"MM\0*"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"heic", b"heix", b"mif1"))
    )


def _png_header(data: bytes) -> _Header | None:
    if len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    grey8 = data[24:26] == b"\x08\x00"
    # OpenCV returns what it has of a cut-off file, and reads transparency and rotation its own way.
    plain = grey8 and data.endswith(_PNG_END) and b"tRNS" not in data and b"eXIf" not in data
    return _Header(width, height, plain, grey8)


def _jpeg_header(data: bytes) -> _Header | None:
    position = 2
    while position + 9 < len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            precision, components = data[position + 4], data[position + 9]
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            width = int.from_bytes(data[position + 7 : position + 9], "big")
            # A cut-off file has no end marker; OpenCV would fill the rest with grey. And at
            # 28×28 a colour file may still hold grey values only, which the luma cannot tell.
            plain = (
                precision == 8
                and data.rstrip(b"\0").endswith(_JPEG_END)
                and (components == 1 or (components == 3 and (width, height) != (SIDE, SIDE)))
            )
            return _Header(width, height, plain, components == 1)
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width} × {height} pixels, at most {MAX_PIXELS:,}")


def decode(data: bytes) -> Picture:
    """The picture in a file: upright, transparency over white, 8-bit grey.

    16-bit values are scaled, not clipped; of an animation the first frame is taken.

    Raises:
        ImageError: no picture, damaged, cut off, or larger than `MAX_PIXELS`.
    """
    if not data:
        raise ImageError("empty file")
    header = None
    if data.startswith(_PNG_SIGNATURE):
        header = _png_header(data)
    elif data.startswith(_JPEG_START):
        header = _jpeg_header(data)
    if header is not None:
        _check_size(header.width, header.height)
        if header.plain:
            buffer = np.frombuffer(data, np.uint8)
            grey = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE)
            if grey is not None:
                return Picture(np.asarray(grey, np.uint8), header.colorless)
    return _decode_complete(data)


def _decode_complete(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(*image.size)
            return _from_pillow(image)
    except UnidentifiedImageError:
        raise ImageError("not an image, or of a kind that is not supported") from None
    except ImageError:
        raise
    except Exception as error:
        # Decoders meet hostile bytes here and raise anything from SyntaxError to
        # struct.error; whatever it is, it is this picture's reason and nobody else's.
        raise ImageError(f"damaged image: {error or type(error).__name__}") from error


def _from_pillow(image: Image.Image) -> Picture:
    colorless = image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16")
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        layered = upright.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Picture(_luma(Image.alpha_composite(white, layered).convert("RGB")), False)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        return Picture(_scaled_to_8_bit(np.asarray(upright)), True)
    if upright.mode in ("1", "L"):
        return Picture(np.asarray(upright.convert("L"), np.uint8), colorless)
    rgb = upright.convert("RGB")
    return Picture(_luma(rgb), colorless or _has_equal_channels(rgb))


def _luma(rgb: Image.Image) -> npt.NDArray[np.uint8]:
    return np.array(rgb.convert("L"), np.uint8)


def _has_equal_channels(rgb: Image.Image) -> bool:
    """Whether a frame was stored as RGB; larger pictures are not looked through."""
    if rgb.size != (SIDE, SIDE):
        return False
    pixels = np.asarray(rgb)
    return bool((pixels == pixels[:, :, :1]).all())


def _scaled_to_8_bit(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Grey of more than 8 bits: whole numbers from 0..65535, floats from 0..1 or 0..255."""
    grey = values.astype(np.float64)
    if not np.isfinite(grey).all():
        raise ImageError("damaged image: values that are not finite")
    if values.dtype.kind == "f":
        scale = 255.0 if grey.max(initial=0.0) <= 1.0 else 1.0
    else:
        scale = 255 / 65535
    return np.rint(np.clip(grey * scale, 0, 255)).astype(np.uint8)
