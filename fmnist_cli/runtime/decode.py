"""Bytes of a picture file → `Picture`, by content and never by name.

Two paths give the same picture: OpenCV for the plain kinds that make up most folders
(8-bit grey PNG, ordinary JPEG), Pillow for everything else. The header decides.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from fmnist_cli.contract import SIDE
from fmnist_cli.errors import ImageError
from fmnist_cli.prepare.picture import Picture

MAX_PIXELS = 120_000_000  # the largest phone photos fit; decompression bombs do not

# `decode` checks its own limit from the header; Pillow would warn at half of it.
Image.MAX_IMAGE_PIXELS = None
# Threads are the runner's business.
cv2.setNumThreads(1)

# Named, because Pillow also knows kinds that start other programs (EPS). Loaded beforehand,
# because Pillow's loading on demand lets one thread miss what another is about to register.
_PLUGINS = ("Png", "Jpeg", "Gif", "Bmp", "Tiff", "WebP", "Ppm", "Avif")
for _plugin in _PLUGINS:
    with suppress(ImportError):  # older releases of Pillow have no AVIF
        import_module(f"PIL.{_plugin}ImagePlugin")
_KINDS = tuple(kind for kind in map(str.upper, _PLUGINS) if kind in Image.OPEN)

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Transparency, animation and places for a rotation, which OpenCV reads its own way or not at all.
_PNG_NOT_PLAIN = {b"tRNS", b"acTL", b"eXIf", b"iTXt", b"zTXt"}
_PNG_MAX_SIDE = 1_000_000  # libpng's limit within OpenCV
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
        head.startswith((_PNG_SIGNATURE, _JPEG_START, b"GIF8", b"II*\0", b"MM\0*"))
        or (head[:2] == b"BM" and head[6:10] == bytes(4))  # a text may begin with "BM"
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"heic", b"heix", b"mif1"))
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Type of each whole chunk, and where its content starts.

    Raises:
        ImageError: the checksum of a chunk that the picture needs is wrong.
    """
    view = memoryview(data)
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        start = position + 8
        end = start + int.from_bytes(view[position : position + 4], "big")
        if end + 4 > len(data):
            return
        needed = not kind[0] & 0x20
        if needed and zlib.crc32(view[start - 4 : end]) != int.from_bytes(
            view[end : end + 4], "big"
        ):
            raise ImageError(f"damaged image: wrong checksum in {kind.decode('latin-1')!r}")
        yield kind, start
        position = end + 4


def _png_header(data: bytes) -> _Header | None:
    if len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    _check_size(width, height)
    grey8 = data[24:26] == b"\x08\x00"
    plain = grey8 and width * height > 0 and max(width, height) <= _PNG_MAX_SIDE
    whole = False  # OpenCV returns what it has of a cut-off file
    for kind, start in _png_chunks(data):
        if kind in _PNG_NOT_PLAIN or (kind == b"tEXt" and data.startswith(b"Raw profile", start)):
            plain = False
        if kind == b"IEND":
            whole = True
            break
    return _Header(width, height, plain and whole, grey8)


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
            # OpenCV does not look for a rotation in XMP.
            plain = plain and data.find(b"tiff:Orientation", 0, position) < 0
            _check_size(width, height)
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
    if header is not None and header.plain:
        grey = _decode_plain(data)
        if grey is not None:
            return Picture(grey, header.colorless)
    return _decode_complete(data)


def _decode_plain(data: bytes) -> npt.NDArray[np.uint8] | None:
    try:
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return None  # Pillow knows the reason
    return None if grey is None else np.asarray(grey, np.uint8)


def _decode_complete(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data), formats=_KINDS) as image:
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
    if image.size != (SIDE, SIDE):
        image.draft("L", image.size)  # the luma of a JPEG as it is stored, and as OpenCV gives it
    image.load()
    upright = _upright(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        values = np.asarray(upright)
        grey = _scaled_to_8_bit(values)
        transparent = upright.info.get("transparency")
        if transparent is None:
            return Picture(grey, True)
        grey[values == transparent] = 255
        return Picture(grey, False)
    if upright.has_transparency_data:
        layered = upright.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Picture(_luma(Image.alpha_composite(white, layered).convert("RGB")), False)
    if upright.mode in ("1", "L"):
        return Picture(np.array(upright.convert("L"), np.uint8), colorless)
    rgb = upright.convert("RGB")
    return Picture(_luma(rgb), colorless or _has_equal_channels(rgb))


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # as hostile as the picture itself, but no reason to reject it
        return image
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


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
