"""Colours as sRGB: what embedded profiles and the gamma of a PNG change."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

LARGEST = 4 << 20  # bytes of a profile; larger ones are not heeded
_GAMMA = 1 / 2.2  # of sRGB, as PNG says it
_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}

# Of sRGB under D50: the three primaries as XYZ, and light at two levels of a channel.
_PRIMARIES = np.array(
    [0.43607, 0.22249, 0.01392, 0.38515, 0.71687, 0.09708, 0.14307, 0.06061, 0.7141]
)
_LIGHT = {0.2: 0.0331, 0.5: 0.2140}


def is_usual_gamma(gamma: float) -> bool:
    """Whether a PNG's gamma says what a PNG without one means; the rest is for `as_srgb`."""
    return gamma <= 0 or abs(gamma / _GAMMA - 1) < 0.05


def as_srgb(levels: npt.NDArray[Any], gamma: float) -> npt.NDArray[Any]:
    """Levels 0 to 1 of a PNG of this gamma, as sRGB has them."""
    light = levels ** (1 / gamma)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile says what pixels without one mean, as near as can be seen."""
    return len(profile) > LARGEST or profile[36:40] != b"acsp" or _is_srgb(profile)


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        entries = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * min(count, 100)])
        tags = {n: profile[at : at + size] for n, at, size in entries if n in _TAGS}
        space = profile[16:20]
        if space == b"GRAY":
            return _bends_as_srgb(tags[b"kTRC"])
        if space != b"RGB " or b"A2B0" in tags:
            return False
        found = [struct.unpack_from(">3i", tags[name], 8) for name in _TAGS[:3]]
        near = np.abs(np.ravel(found) / 65536 - _PRIMARIES).max() < 0.004
        return bool(near) and all(_bends_as_srgb(tags[c]) for c in _TAGS[3:6])
    except (struct.error, LookupError, ValueError, ArithmeticError):
        return False


_TAGS = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"A2B0")
# Kind of a formula → how many numbers it has, and which of them is added.
_FORMULAS = {0: (1, 0), 1: (3, 0), 2: (4, 3), 3: (5, 0), 4: (7, 5)}


def _bends_as_srgb(curve: bytes) -> bool:
    return all(abs(_light(curve, level) - light) < 0.012 for level, light in _LIGHT.items())


def _light(curve: bytes, level: float) -> float:
    """What a curve of a profile makes of a level between 0 and 1.

    Raises:
        struct.error, KeyError, ValueError, OverflowError, ZeroDivisionError: it is none.
    """
    if curve[:4] == b"para":
        (kind,) = struct.unpack_from(">H", curve, 8)
        count, offset = _FORMULAS[kind]
        numbers = [n / 65536 for n in struct.unpack_from(f">{count}i", curve, 12)]
        power, a, b = numbers[:3] if kind else (*numbers, 1.0, 0.0)
        added = numbers[offset] if offset else 0.0
        return float(max(0.0, a * level + b) ** power + added)
    (count,) = struct.unpack_from(">I", curve, 8)
    if count <= 1:
        return float(level ** (struct.unpack_from(">H", curve, 12)[0] / 256)) if count else level
    table = np.frombuffer(curve, ">u2", min(count, (len(curve) - 12) // 2), 12)
    return float(np.interp(level, np.linspace(0, 1, len(table)), table)) / 65535


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The picture in sRGB; as it is, when the profile is damaged or for pixels of another kind.

    Args:
        image: of mode L, RGB, RGBA or CMYK.
        profile: ICC.
    """
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    pixels = image.convert("RGB") if alpha is not None else image
    if profile[16:20] != _SPACES.get(pixels.mode):
        return image
    try:
        transform = _transform(profile, pixels.mode)
        made = transform.apply(pixels)
    except Exception:  # whatever littlecms says of a hostile profile
        return image
    if pixels.mode == "L":
        return made.getchannel(0)  # type: ignore[no-any-return]
    if alpha is not None:
        made.putalpha(alpha)
    return made  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> Any:
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
