"""The complete path: everything that Pillow reads, one way for all kinds.

Imported when the first picture needs it, so that folders of ordinary pictures never load
Pillow. Python's import lock sees to it that several threads register the kinds only once, and
none of them goes on before all are there.
"""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from fmnist_cli.contract import Picture
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.decode.header import MEMORY, Reduction, check_memory, check_size, factor_for
from fmnist_cli.decode.orientation import XMP_MARK, orientation_of, upright
from fmnist_cli.decode.picture import is_blank
from fmnist_cli.decode.tiff import picture_in_tiff
from fmnist_cli.decode.values import picture_of, profile_of
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.kinds import RAW, UNREAD, isomedia_kind, kind_of, looks_like_image

# Named, because Pillow also knows kinds that start other programs (EPS). Loaded here, because
# Pillow's loading on demand lets one thread miss what another is about to register.
_PLUGINS = ("Png", "Jpeg", "Mpo", "Gif", "Bmp", "Tiff", "WebP", "Ppm", "Avif")
for _plugin in _PLUGINS:
    with suppress(ImportError):  # older releases of Pillow have no AVIF
        _module = import_module(f"PIL.{_plugin}ImagePlugin")
        if hasattr(_module, "DEFAULT_MAX_THREADS"):  # of AVIF; as for OpenCV
            setattr(_module, "DEFAULT_MAX_THREADS", 1)  # noqa: B010
# What it says in its log is the picture's reason, and stands in the row.
logging.getLogger("PIL").addHandler(logging.NullHandler())
_KINDS = tuple(kind for kind in map(str.upper, _PLUGINS) if kind in Image.OPEN)
# Loaded for the first such picture, by an import that other threads wait for.
_RARE = {
    "JPEG 2000": ("Jpeg2K", "JPEG2000"),
    "PSD": ("Psd", "PSD"),
    "ICO": ("Ico", "ICO"),
    "QOI": ("Qoi", "QOI"),
    "PCX": ("Pcx", "PCX"),
    "SGI": ("Sgi", "SGI"),
    "TGA": ("Tga", "TGA"),
}

_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH, _TIFF_XMP = 322, 323, 700
_ORDINARY_TILE = 4096 * 4096  # pixels; a small picture may lie in a larger tile
_ANIMATED = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_FRAMES = 50  # that are looked at for one that is not blank
_LOOK = 4096  # bytes that tell the kinds that are not read
# Pillow reads the numbers of a Netpbm header, and the comments between them, byte by byte.
_NETPBM = {
    numbers: re.compile(rb"P[\dfF](?:(?:\s|#[^\r\n]*+[\r\n])++[-+.\w]++){%d}" % numbers)
    for numbers in (2, 3)
}
_COMMENT = re.compile(rb"#[^\r\n]*")
_NETPBM_HEAD = 65_536


def decode_complete(
    data: bytes,
    orientation: int | None,
    max_pixels: int,
    reduction: Reduction | None,
    color: bool = False,
    memory: int = MEMORY,
) -> Picture:
    """The picture in a file of any kind that Pillow reads.

    Args:
        orientation: 1 to 8 where the header has said it already.
        reduction: how much smaller a JPEG may be decoded; None for one that cannot be.
        color: whether colour is wanted, too.
        memory: bytes that it may take.

    Raises:
        ImageError: no picture, damaged, cut off, or more than `max_pixels` pixels or `memory`.
    """
    kind = kind_of(data[:_LOOK])
    kinds = _kinds_for(kind, data)
    try:
        if kind == "TIFF":
            data, orientation = picture_in_tiff(data)
        elif kind in _CHECKS:
            data = _CHECKS[kind](data, max_pixels)
        with open_image(data, kinds) as image:
            check_size(*image.size, max_pixels)
            if not min(image.size):
                raise ImageError("damaged image: it has no pixels")
            mode, stored = image.mode, None
            xmp = b""
            if isinstance(image, TiffImageFile):
                tile = image.tag_v2.get(_TIFF_TILE_WIDTH, 1), image.tag_v2.get(_TIFF_TILE_LENGTH, 1)
                check_size(*tile, max(max_pixels, _ORDINARY_TILE))
                xmp = _taken_xmp(image)
            elif isinstance(image, JpegImageFile) and image.size != (SIDE, SIDE) and reduction:
                stored = image.size
                factor = factor_for(*stored, reduction)
                # Without colour the luma, as it is stored.
                wanted = mode if color or profile_of(image) else "L"
                image.draft(wanted, (image.width // factor, image.height // factor))
            check_memory(*image.size, _taken(image), memory)
            picture = _first_to_show(image, data, mode, color, max_pixels)
            if orientation is None:
                orientation = _orientation(image, xmp)
            return upright(picture, orientation, stored=stored)
    except UnidentifiedImageError:
        if kind in _RARE or isomedia_kind(data) or looks_like_image(data[:_LOOK]):
            raise ImageError("damaged image, or of a variant that is not supported") from None
        raise ImageError("not an image, or of a kind that is not supported") from None
    except ImageError:
        raise
    except Image.DecompressionBombError:  # a frame that is larger than its picture
        raise ImageError(
            f"too large: a frame of it has more than {max_pixels:,} pixels; see --max-pixels"
        ) from None
    except MemoryError:
        raise ImageError("too large for the memory that is left; see --max-pixels") from None
    except Exception as error:
        # Decoders meet hostile bytes here and raise anything from SyntaxError to
        # struct.error; whatever it is, it is this picture's reason and nobody else's.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"damaged image: {reason}") from error


def open_image(data: bytes, kinds: Sequence[str] = _KINDS) -> Image.Image:
    """As `PIL.Image.open`, without its limit of pixels: ours is another, and must not be global.

    Raises:
        UnidentifiedImageError: it is of none of these kinds.
    """
    for kind in kinds:
        factory, accept = Image.OPEN[kind]
        accepted = accept is None or accept(data[:16])
        if not accepted or isinstance(accepted, str):  # a text says what is missing
            continue
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # as Pillow itself does
            return factory(io.BytesIO(data), "")
    raise UnidentifiedImageError


def _kinds_for(kind: str, data: bytes) -> tuple[str, ...]:
    """What Pillow is to try, made known to it if need be.

    Raises:
        ImageError: it is of a kind that is not read, or what it takes is not installed.
    """
    if kind in RAW:
        raise ImageError(f"a raw photo ({kind}), which is not read: develop it to JPEG or TIFF")
    if kind in UNREAD:
        raise ImageError(
            f"a picture of a kind that is not read ({kind}): convert it to PNG or JPEG"
        )
    if kind in _RARE:
        plugin, name = _RARE[kind]
        import_module(f"PIL.{plugin}ImagePlugin")
        return (name,)
    container = isomedia_kind(data)
    if container is None:
        return _KINDS
    if container == "AVIF":
        from PIL import features

        if "AVIF" not in _KINDS or not features.check("avif"):
            raise ImageError("AVIF needs Pillow 11.3 or newer: pip install --upgrade pillow")
    else:
        try:
            _register_heif()
        except ImportError:
            raise ImageError("HEIC needs a plug-in: pip install pillow-heif") from None
    return (container,)


@cache
def _register_heif() -> None:
    # By name, because it is optional and type checkers would want it. One thread, as for OpenCV.
    import_module("pillow_heif").register_heif_opener(
        decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
    )


def _check_netpbm(data: bytes, max_pixels: int) -> bytes:
    """Without the comments, where they may lie between pixels: Pillow takes minutes for many."""
    del max_pixels
    if data[1:2] in b"123":
        data = _COMMENT.sub(b"", data)
    pattern = _NETPBM[2 if data[1:2] in b"14" else 3]
    if pattern.match(data[:_NETPBM_HEAD]) is None:
        raise ImageError("damaged image: no size within its first 64 KiB")
    return data


def _taken(image: Image.Image) -> int:
    """Bytes of memory that a pixel takes, at most: Pillow's own, and what is made of them."""
    if image.mode in ("1", "L") or image.mode.startswith("I;16"):
        return 8
    return 24 if image.has_transparency_data else 16


def _check_jpeg_2000(data: bytes, max_pixels: int) -> bytes:
    """The size in the code stream, which need not be the one that Pillow looks at."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start >= 0:
        right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
        check_size(right - left, bottom - top, max_pixels)
    return data


def _check_ico(data: bytes, max_pixels: int) -> bytes:
    """The size of each picture within: Pillow decodes one as soon as it opens the file."""
    (count,) = struct.unpack_from("<H", data, 4)
    count = min(count, (len(data) - 6) // 16)
    for (offset,) in struct.iter_unpack("<12xI", data[6 : 6 + 16 * count]):
        if data.startswith(b"\x89PNG", offset):
            width, height = struct.unpack_from(">II", data, offset + 16)
        elif data[offset : offset + 4] == b"\x0c\0\0\0":
            width, height = struct.unpack_from("<HH", data, offset + 4)
        else:
            width, height = map(abs, struct.unpack_from("<ii", data, offset + 4))
        check_size(width, height, max_pixels)
    return data


# What is done before Pillow looks at a file; each returns the file.
_CHECKS = {"Netpbm": _check_netpbm, "JPEG 2000": _check_jpeg_2000, "ICO": _check_ico}


def _first_to_show(
    image: Image.Image, data: bytes, stored: str, color: bool, max_pixels: int
) -> Picture:
    """The picture; of an animation the first frame that shows anything, else the first."""
    first: Picture | None = None
    frames = min(_FRAMES, max_pixels // (image.width * image.height) or 1)
    for number in range(frames if image.format in _ANIMATED else 1):
        try:
            if number:
                image.seek(number)
        except EOFError:
            break
        image.load()
        picture = picture_of(image, data, stored, color)
        if not is_blank(picture.grey if picture.color is None else picture.color):
            return picture
        first = first or picture
    assert first is not None  # noqa: S101 - there is always a first frame
    return first


def _taken_xmp(image: TiffImageFile) -> bytes:
    """A TIFF's XMP packet, whatever its type; Pillow, which would stumble over it, loses it."""
    packet: Any = image.info.pop("xmp", b"")
    if isinstance(packet, str):
        return packet.encode("latin-1", "replace")
    if isinstance(packet, tuple):
        code = {3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}.get(image.tag_v2.tagtype.get(_TIFF_XMP, 0))
        order = "<" if image.tag_v2.prefix == b"II" else ">"
        with suppress(struct.error):
            return struct.pack(f"{order}{len(packet)}{code}", *packet) if code else b""
    return packet if isinstance(packet, bytes) else b""


def _orientation(image: Image.Image, xmp: bytes) -> int:
    """As in EXIF; 1 where nothing is said."""
    info = image.info
    written = [_raw_profile(info, name) for name in ("exif", "APP1", "xmp")]
    exif = next((block for block in (info.get("exif"), *written[:2]) if block), b"")
    if image.format in ("AVIF", "HEIF"):  # whose container says it
        return orientation_of(exif, b"") or 1
    said = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    xmp = xmp or (said.encode() if isinstance(said, str) else said) or written[2] or written[1]
    return orientation_of(exif, xmp.removeprefix(XMP_MARK)) or 1


def _raw_profile(info: dict[Any, Any], name: str) -> bytes:
    """What ImageMagick writes into texts of a PNG, as hexadecimal digits behind three lines."""
    with suppress(ValueError):
        return bytes.fromhex("".join(str(info.get(f"Raw profile type {name}", "")).split("\n")[3:]))
    return b""
