"""Product-style pictures made from frames: larger, coloured, on the grounds that shops use."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

GROUNDS = ("white", "cream", "grey", "black", "transparent")
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Floats = npt.NDArray[np.float32]


class Render(NamedTuple):
    """A picture file, and how it was made.

    Attributes:
        content: the file.
        ground: one of `GROUNDS`.
        kind: ``JPEG``, ``PNG`` or ``WebP``.
        quality: of JPEG and WebP, to 100; None for PNG.
        size: width and height.
    """

    content: bytes
    ground: str
    kind: str
    quality: int | None
    size: tuple[int, int]


def render(frame: npt.NDArray[np.uint8], ground: str, rng: np.random.Generator) -> Render:
    """`frame` uint8 [28, 28] as a shop might show it.

    It is enlarged smoothly to 200 to 600 pixels, gets a random hue that leaves its luma, and
    margins of up to a third of it on every side, each its own; one in four has none. On black
    it stays light, as it is; elsewhere it is negated, which is what it was before Fashion-MNIST
    negated it.
    """
    side = int(rng.integers(200, 601))
    light = _enlarged(frame.astype(np.float32), side) / 255
    cover = _enlarged((frame > 0).astype(np.float32), side)
    widest = rng.choice([0, 1 / 3], p=[1 / 4, 3 / 4])
    margins = [round(side * margin) for margin in rng.uniform(0, widest, 4)]
    item = _tinted(light if ground == "black" else 1 - light, rng)
    level = {
        "white": np.ones(3, np.float32),
        "cream": np.array([1.0, 0.965, 0.89], np.float32) * rng.uniform(0.94, 1),
        "grey": np.full(3, rng.uniform(0.65, 0.9), np.float32),
        "black": np.zeros(3, np.float32),
        "transparent": np.zeros(3, np.float32),
    }[ground].astype(np.float32)
    if ground == "transparent":
        picture = np.dstack([_padded(item, margins, level), _padded(cover[..., None], margins, 0)])
    else:
        shown = cover[..., None] if ground != "black" else np.float32(1)
        picture = _padded(item * shown + level * (1 - shown), margins, level)
    kind, quality = _kind(ground, rng)
    content = _encoded(np.rint(255 * picture).astype(np.uint8), kind, quality)
    return Render(content, ground, kind, quality, (picture.shape[1], picture.shape[0]))


def _enlarged(values: Floats, side: int) -> Floats:
    """`values` [28, 28] at `side`, by cubic interpolation, within their range."""
    large = cv2.resize(values, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0, values.max()), np.float32)


def _tinted(luma: Floats, rng: np.random.Generator) -> Floats:
    """RGB [H, W, 3] of some hue that has the luma [H, W]; white and black stay as they are."""
    hue = rng.normal(size=3).astype(np.float32)
    hue -= hue @ _LUMA
    hue *= rng.uniform(0, 0.9) / np.abs(hue).max()
    room = np.minimum(luma, 1 - luma)[..., None]
    return np.asarray(np.clip(luma[..., None] + room * hue, 0, 1), np.float32)


def _padded(pixels: Floats, margins: list[int], level: Floats | float) -> Floats:
    height, width, channels = pixels.shape
    top, bottom, left, right = margins
    whole = np.empty((height + top + bottom, width + left + right, channels), np.float32)
    whole[:] = level
    whole[top : top + height, left : left + width] = pixels
    return whole


def _kind(ground: str, rng: np.random.Generator) -> tuple[str, int | None]:
    if ground == "transparent":
        return ("PNG", None) if rng.random() < 0.5 else ("WebP", int(rng.integers(50, 96)))
    return ("JPEG", int(rng.integers(50, 96))) if rng.random() < 0.8 else ("PNG", None)


def _encoded(picture: npt.NDArray[np.uint8], kind: str, quality: int | None) -> bytes:
    order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    flag = {"JPEG": cv2.IMWRITE_JPEG_QUALITY, "WebP": cv2.IMWRITE_WEBP_QUALITY}.get(kind)
    options = [] if flag is None or quality is None else [flag, quality]
    suffix = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp"}[kind]
    return cv2.imencode(suffix, cv2.cvtColor(picture, order), options)[1].tobytes()
