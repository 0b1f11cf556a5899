"""Photos: a garment somewhere in a picture is found, cut out and put on black."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import SIDE
from fmnist_cli.prepare.picture import Frame, Picture, resize
from fmnist_cli.prepare.preparation import Isolate

PHOTO_EDGE = 128  # pixels of the picture that garments are looked for in
_SMALL = 0.25  # parts of less than this share of the largest are left out: one shoe of two is not
_LEAST = 0.01  # share of the picture below which nothing was found
_EDGE = 0.3, 0.7  # probabilities between which a pixel belongs to the garment in part
# Mean and spread of the garment in the frame, as they are in Fashion-MNIST; contrast is raised no
# further than this, so that plain cloth does not become noise.
_LEVEL, _SPREAD, _GAIN = 160.0, 45.0, 1.5
# Width by height from which on only its square root counts: sleeves lie spread on a floor, and in
# Fashion-MNIST nothing but bags and shoes is wide.
_WIDE = 0.8

Values = npt.NDArray[np.float32]


def prepare_photo(picture: Picture, isolate: Isolate | None = None) -> Frame:
    """The garment, negated as Fashion-MNIST's are, its longest edge 28, on black.

    Raises:
        ValueError: there is no `isolate` to find it.
    """
    if isolate is None:
        raise ValueError("photos need something that isolates garments")
    height, width = picture.full or picture.grey.shape
    scale = PHOTO_EDGE / max(height, width)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    found = cv2.resize(isolate(_square(picture)), (width, height), interpolation=cv2.INTER_LINEAR)
    return placed(resize(picture.grey, width, height), garment(np.asarray(found, np.float32)))


def _square(picture: Picture) -> npt.NDArray[np.uint8]:
    """The whole picture stretched to RGB [128, 128, 3], which is how `isolate` was trained."""
    if picture.color is not None:
        return resize(picture.color, PHOTO_EDGE, PHOTO_EDGE)
    grey = resize(picture.grey, PHOTO_EDGE, PHOTO_EDGE)
    return np.repeat(grey[..., None], 3, axis=2)


def garment(found: Values) -> Values:
    """How far each pixel belongs to the garment, float32 [H, W] in 0..1.

    The largest connected part counts, and others that are nearly as large. Where nothing was
    found, all of it does.

    Args:
        found: probability of garment, float32 [H, W].
    """
    count, parts, statistics, _ = cv2.connectedComponentsWithStats((found > 0.5).astype(np.uint8))
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < _LEAST * found.size:
        return np.ones_like(found)
    kept = np.flatnonzero(np.append(0, areas) >= _SMALL * areas.max())
    # A pixel more around what is sure, where the edge fades out.
    sure = cv2.dilate(np.isin(parts, kept).astype(np.uint8), np.ones((3, 3), np.uint8))
    low, high = _EDGE
    return np.asarray(np.clip((found - low) / (high - low), 0, 1) * sure, np.float32)


def placed(grey: npt.NDArray[np.uint8], cover: Values) -> Frame:
    """What `cover` shows of `grey`, both [H, W]: negated, its level and contrast set, centred."""
    rows, columns = np.flatnonzero(cover.max(axis=1) > 0.5), np.flatnonzero(cover.max(axis=0) > 0.5)
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    grey, cover = grey[window], cover[window]
    height, width = _size(*cover.shape)
    # Averaged under the cover, or the background would bleed into the edge.
    share = _resized(cover, width, height)
    values = _resized(grey * cover, width, height) / np.maximum(share, 1e-3)
    inside = share >= min(0.5, float(share.max()))
    mean, spread = float(values[inside].mean()), float(values[inside].std())
    gain = min(_GAIN, _SPREAD / max(spread, 1e-3))
    negated = np.clip(_LEVEL + (mean - values) * gain, 0, 255) * share
    frame = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    frame[top : top + height, left : left + width] = np.rint(negated)
    return frame


def _size(height: int, width: int) -> tuple[int, int]:
    """Of the garment in the frame, its longest edge 28, and what is wide less so."""
    aspect = width / height
    if aspect > _WIDE:
        aspect = math.sqrt(_WIDE * aspect)
    longest = max(aspect, 1.0)
    return max(1, round(SIDE / longest)), max(1, round(SIDE * aspect / longest))


def _resized(values: npt.NDArray[np.float32], width: int, height: int) -> Values:
    interpolation = cv2.INTER_AREA if width < values.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width, height), interpolation=interpolation), np.float32)
