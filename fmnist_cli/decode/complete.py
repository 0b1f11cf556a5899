"""The complete path: everything that Pillow reads, one way for all kinds.

Imported when the first picture needs it, so that folders of ordinary pictures never load
Pillow. Python's import lock sees to it that several threads register the kinds only once, and
none of them goes on before all are there.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from fmnist_cli.contract import Picture
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.decode.header import MEMORY, Reduction, check_memory, check_size, factor_for
from fmnist_cli.decode.orientation import upright
from fmnist_cli.decode.picture import from_channels, scaled_to_8_bit
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.kinds import isomedia_kind, looks_like_image

# Named, because Pillow also knows kinds that start other programs (EPS). Loaded here, because
# Pillow's loading on demand lets one thread miss what another is about to register.
_PLUGINS = ("Png", "Jpeg", "Mpo", "Gif", "Bmp", "Tiff", "WebP", "Ppm", "Avif")
for _plugin in _PLUGINS:
    with suppress(ImportError):  # older releases of Pillow have no AVIF
        _module = import_module(f"PIL.{_plugin}ImagePlugin")
        if hasattr(_module, "DEFAULT_MAX_THREADS"):  # of AVIF; as for OpenCV
            setattr(_module, "DEFAULT_MAX_THREADS", 1)  # noqa: B010
_KINDS = tuple(kind for kind in map(str.upper, _PLUGINS) if kind in Image.OPEN)

_EXIF_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 258, 262, 322, 323
_ORDINARY_TILE = 4096 * 4096  # pixels; a small picture may lie in a larger tile


def decode_complete(
    data: bytes,
    orientation: int | None,
    max_pixels: int,
    reduction: Reduction,
    color: bool = False,
    memory: int = MEMORY,
) -> Picture:
    """The picture in a file of any kind that Pillow reads.

    Args:
        orientation: 1 to 8 where the header has said it already.
        reduction: how much smaller a JPEG may be decoded.
        color: whether colour is wanted, too.
        memory: bytes that it may take.

    Raises:
        ImageError: no picture, damaged, cut off, or more than `max_pixels` pixels or `memory`.
    """
    container = isomedia_kind(data)
    kinds = _KINDS if container is None else _kinds_for(container)
    try:
        with open_image(data, kinds) as image:
            check_size(*image.size, max_pixels)
            mode, stored = image.mode, None
            if isinstance(image, TiffImageFile):
                tile = image.tag_v2.get(_TIFF_TILE_WIDTH, 1), image.tag_v2.get(_TIFF_TILE_LENGTH, 1)
                check_size(*tile, max(max_pixels, _ORDINARY_TILE))
            elif isinstance(image, JpegImageFile) and image.size != (SIDE, SIDE):
                stored = image.size
                factor = factor_for(*stored, reduction)
                # Without colour the luma, as it is stored.
                wanted = mode if color else "L"
                image.draft(wanted, (image.width // factor, image.height // factor))
            check_memory(*image.size, _taken(image), memory)
            image.load()
            picture = _from_pillow(image, mode, color)
            if orientation is None:
                orientation = _orientation(image)
            return upright(picture, orientation, stored=stored)
    except UnidentifiedImageError:
        if container is not None or looks_like_image(data[:32]):
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


def _kinds_for(container: str) -> tuple[str, ...]:
    """``AVIF`` or ``HEIF``, made known to Pillow if need be.

    Raises:
        ImageError: what it takes is not installed.
    """
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


def _from_pillow(image: Image.Image, stored: str, color: bool) -> Picture:
    """The picture as it is stored, not yet upright."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        grey = scaled_to_8_bit(values, _top(image))
        transparent = image.info.get("transparency")
        if transparent is not None:
            alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
            grey[alpha == 0] = 255
            return Picture(grey, False, alpha=alpha if (alpha == 0).any() else None)
        if _is_white_zero(image):
            np.subtract(255, grey, out=grey)
        return Picture(grey, True)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return from_channels(rgba, color=color and image.mode != "LA")
    if image.mode in ("1", "L"):
        return Picture(np.array(image.convert("L"), np.uint8), stored in ("1", "L"))
    return from_channels(np.asarray(image.convert("RGB")), color=color)


def _taken(image: Image.Image) -> int:
    """Bytes of memory that a pixel takes, at most: Pillow's own, and what is made of them."""
    if image.mode in ("1", "L") or image.mode.startswith("I;16"):
        return 8
    return 24 if image.has_transparency_data else 16


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # as hostile as the picture itself, but no reason to reject it
        return 1


def _top(image: Image.Image) -> int:
    """The value of white in a picture of more than 8 bits."""
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_BITS) == (12,):
        return 4095
    return 65535


def _is_white_zero(image: Image.Image) -> bool:
    """Whether 0 means white, which Pillow heeds in 8-bit TIFF only."""
    return (
        isinstance(image, TiffImageFile)
        and image.mode.startswith("I;16")
        and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0
    )
