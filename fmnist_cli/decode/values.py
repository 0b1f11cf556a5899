"""What Pillow read → 8 bits: deep values, transparent colours, colour profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from fmnist_cli.contract import Picture
from fmnist_cli.decode.color import as_srgb, is_srgb, is_usual_gamma, to_srgb
from fmnist_cli.decode.picture import Grey, from_channels
from fmnist_cli.errors import ImageError

Values = npt.NDArray[Any]
Curve = Callable[[Values], Values]  # levels from 0 to 1 to those that sRGB has

# Tags of TIFF.
_BITS, _PHOTOMETRIC, _MOST, _SIGNED = 258, 262, 281, 339
_LOWEST, _HIGHEST = 340, 341
_DEEP = 65535
_CLEAR = np.uint8(0), np.uint8(255)  # alpha where a key is, and elsewhere
# Of these, 0 in all of an alpha channel means that nobody filled it.
_MAYBE_OPAQUE = frozenset({"BMP", "ICO", "TGA", "SGI"})


def picture_of(image: Image.Image, data: bytes, stored: str, color: bool) -> Picture:
    """The picture that is loaded in `image`, not yet upright.

    Args:
        image: loaded.
        data: the file it came from.
        stored: its mode before it was loaded.
        color: whether colour is wanted, too.

    Raises:
        ImageError: its values are not numbers, or of a kind that is not read.
    """
    if image.mode == "LAB":
        raise ImageError("a picture in LAB colours, which are not read: convert it to PNG or JPEG")
    is_png = image.format == "PNG"
    depth = data[24] if is_png else 8
    curve = _curve(image)
    transparent = image.info.get("transparency")
    if image.mode in ("I", "F") or image.mode.startswith("I;16") or _is_signed(image):
        return _deep(image, curve)
    if image.mode in ("RGB", "RGBA") and _is_deep_color(image, depth, curve is not None):
        return _deep_color(data, image, curve, color)
    if is_png and transparent is not None and depth <= 8 and image.mode in ("L", "RGB"):
        # Keys have 16 bits, of which those count that a sample has; Pillow takes them as they are.
        top = 2**depth - 1
        if isinstance(transparent, int):
            image.info["transparency"] = (transparent & top) * 255 // top
        else:
            image.info["transparency"] = tuple(value & top for value in transparent)
    if image.mode == "CMYK" and isinstance(image, JpegImageFile) and "adobe" not in image.info:
        image = _like(ImageChops.invert(image), image)  # Pillow takes all for Adobe's, inverted
    if image.mode == "RGBA" and (
        image.format == "PSD"  # where it may be a selection, and what is flattened lies over white
        or (image.format in _MAYBE_OPAQUE and image.getchannel("A").getextrema() == (0, 0))
    ):
        image = _like(image.convert("RGB"), image)
    colorless = image.mode == "LA"
    if image.has_transparency_data:
        return from_channels(_corrected(image, "RGBA", curve), color=color and not colorless)
    if image.mode in ("1", "L"):
        return Picture(_corrected(image, "L", curve), stored in ("1", "L"))
    return from_channels(_corrected(image, "RGB", curve), color=color)


def _like(made: Image.Image, image: Image.Image) -> Image.Image:
    made.info = image.info
    return made


def _corrected(image: Image.Image, mode: str, curve: Curve | None) -> Grey:
    """Pixels of `image` in `mode`, in the colours of sRGB; alpha stays as it is."""
    profile = profile_of(image)
    if profile is not None:
        if image.mode != "CMYK":
            image = image.convert(mode)
        image = to_srgb(image, profile)
    pixels = np.array(image.convert(mode), np.uint8)
    if curve is not None:
        table = np.rint(curve(np.arange(256) / 255) * 255).astype(np.uint8)
        colors = pixels[..., :3] if mode != "L" else pixels
        colors[...] = cv2.LUT(colors, table)
    return pixels


def profile_of(image: Image.Image) -> bytes | None:
    """The colour profile of a picture, if it changes colours that can be seen."""
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile and not is_srgb(profile) else None


def _curve(image: Image.Image) -> Curve | None:
    """What makes sRGB of the levels of a PNG that says its gamma and nothing better."""
    gamma, info = image.info.get("gamma"), image.info
    if image.format != "PNG" or gamma is None or "srgb" in info or info.get("icc_profile"):
        return None
    return None if is_usual_gamma(gamma) else lambda levels: as_srgb(levels, gamma)


def _deep(image: Image.Image, curve: Curve | None) -> Picture:
    """Grey of more than 8 bits."""
    values = np.asarray(image)
    if values.dtype == np.uint8:
        values = values.view(np.int8)
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    bits = max(_numbers(tags, _BITS), default=0)
    if values.dtype == np.int32 and bits == 32 and max(_numbers(tags, _SIGNED), default=1) == 1:
        values = values.view(np.uint32)  # Pillow has no such mode
    elif values.dtype == np.int32 and bits == 16:
        values = values.astype(np.int16)
    if values.dtype.kind == "f":
        low, high, values = _range_of_floats(values, tags)
    else:
        low, high = _range_of_numbers(values, tags, declared=image.format not in ("PNG", "TIFF"))
    grey = scaled_to_8_bit(values, low, high, curve)
    if profile := profile_of(image):
        grey = np.array(to_srgb(Image.fromarray(grey), profile), np.uint8)
    transparent = image.info.get("transparency")
    if image.format == "PNG" and transparent is not None:
        alpha = np.where(values == transparent, *_CLEAR)
        grey[alpha == 0] = 255
        return Picture(grey, False, alpha=alpha if (alpha == 0).any() else None)
    if 0 in _numbers(tags, _PHOTOMETRIC):  # means white, which Pillow heeds in 8 bits only
        np.subtract(255, grey, out=grey)
    return Picture(grey, True)


def scaled_to_8_bit(values: Values, low: float, high: float, curve: Curve | None = None) -> Grey:
    """`low` … `high` as 0 … 255; what lies outside is clipped.

    Args:
        values: any shape, of whole numbers or floats, all finite.
        low, high: black and white.
        curve: makes sRGB of levels from 0 to 1.
    """
    span = max(high - low, 1e-30)
    if values.dtype == np.uint16:  # by a table
        levels = ((np.arange(65536) - low) / span).clip(0, 1)
        table = np.rint((curve(levels) if curve else levels) * 255).astype(np.uint8)
        taken: Grey = table[values]
        return taken
    scaled = values.astype(np.float32)
    np.subtract(scaled, np.float32(low), out=scaled)
    np.multiply(scaled, np.float32(255 / span), out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    if curve is not None:
        scaled = curve(scaled / 255).astype(np.float32) * 255
    return np.rint(scaled).astype(np.uint8)


def _range_of_numbers(values: Values, tags: Any, *, declared: bool) -> tuple[float, float]:
    """Black and white of whole numbers.

    Args:
        values: of the picture.
        tags: of a TIFF.
        declared: whether the kind itself says that white is 65535.
    """
    least, most = int(values.min()), int(values.max())
    if 12 in _numbers(tags, _BITS):
        return 0, 4095
    if declared:
        return 0, _DEEP
    highest, lowest = _numbers(tags, _HIGHEST), _numbers(tags, _LOWEST)
    if highest and most <= highest[0] and least >= (low := lowest[0] if lowest else 0) < highest[0]:
        return low, highest[0]
    if least < 0:
        return least, most
    largest = float(np.iinfo(values.dtype).max)
    ends = [end for end in (255.0, _DEEP) if end < largest] + [largest]
    # Some write the highest value there is, and not the highest possible one.
    ends[:0] = [2 ** int(said).bit_length() - 1 for said in _numbers(tags, _MOST)[:1] if said > 0]
    return 0, next((end for end in ends if most <= end), ends[-1])


def _range_of_floats(values: Values, tags: Any) -> tuple[float, float, Values]:
    """Black and white of floats, and the floats with finite numbers in place of all others.

    Raises:
        ImageError: there are no others.
    """
    finite = np.isfinite(values)
    if not finite.any():
        raise ImageError("damaged image: no value in it is a number")
    least, most = (
        float(f(values, where=finite, initial=i)) for f, i in ((np.min, np.inf), (np.max, -np.inf))
    )
    if not finite.all():
        values = np.nan_to_num(values, nan=least, posinf=most, neginf=least)
    highest, lowest = _numbers(tags, _HIGHEST), _numbers(tags, _LOWEST)
    if highest and lowest and lowest[0] <= least < most <= highest[0]:
        return lowest[0], highest[0], values
    if least >= 0 and most <= 1:
        return 0, 1, values
    if least >= 0 and 16 <= most <= 255:
        return 0, 255, values
    return least, most, values


def _numbers(tags: Any, tag: int) -> tuple[float, ...]:
    """The numbers in a tag of TIFF, whatever its type; none where it has others."""
    found = tags.get(tag, ())
    found = found if isinstance(found, tuple) else (found,)
    return found if all(isinstance(n, int | float) and abs(n) < 1e38 for n in found) else ()


def _is_signed(image: Image.Image) -> bool:
    """Whether this is a TIFF of 8-bit numbers with a sign, whose bits Pillow takes for others."""
    return (
        isinstance(image, TiffImageFile)
        and _numbers(image.tag_v2, _SIGNED) == (2,)
        and image.mode == "L"
    )


def _is_deep_color(image: Image.Image, depth: int, curved: bool) -> bool:
    """Whether the lower half of 16-bit colours matters, of which Pillow keeps the upper half."""
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if depth != 16 and set(_numbers(tags, _BITS)) != {16}:
        return False
    said = [*_numbers(tags, _MOST), *_numbers(tags, _HIGHEST), _DEEP]
    if curved or "transparency" in image.info or said[0] < _DEEP // 2:
        return True
    return not np.asarray(image)[..., :3].any()


def _deep_color(data: bytes, image: Image.Image, curve: Curve | None, color: bool) -> Picture:
    """Colours of 16 bits."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.shape[:2] != image.size[::-1]:
        raise ImageError("colours of 16 bits in a variant that is not supported")
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    colors = np.ascontiguousarray(values[..., 2::-1])
    low, high = _range_of_numbers(colors, tags, declared=False)
    pixels = scaled_to_8_bit(colors, low, high, curve)
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple):
        alpha = np.where((colors == transparent).all(axis=2), *_CLEAR)
    elif image.mode == "RGBA":
        alpha = scaled_to_8_bit(values[..., 3], 0, high)
    else:
        return from_channels(pixels, color=color)
    return from_channels(np.dstack([pixels, alpha]), color=color)
