"""Photos: a garment somewhere in a picture is found, cut out and put on black."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import SIDE
from fmnist_cli.prepare.picture import Frame, Picture, resize
from fmnist_cli.prepare.preparation import Isolate

PHOTO_EDGE = 128  # pixels of the picture that garments are looked for in
_LONGEST = 27  # pixels of the garment in the frame
_LOW, _HIGH = 2, 98  # percentiles of the garment that are stretched to ...
_DARK, _LIGHT = 40, 230  # ... these levels, so that all of it stands out from black


def prepare_photo(picture: Picture, isolate: Isolate | None = None) -> Frame:
    """The largest garment, centred, its contrast stretched, on black.

    Raises:
        ValueError: there is no `isolate` to find it.
    """
    if isolate is None:
        raise ValueError("photos need something that isolates garments")
    square, (top, left, height, width) = letterboxed(picture)
    scores = cv2.resize(isolate(square), (PHOTO_EDGE, PHOTO_EDGE), interpolation=cv2.INTER_LINEAR)
    mask = largest_part(scores[top : top + height, left : left + width] > 0.5)
    grey = resize(picture.grey, width, height)
    if not mask.any():
        mask = np.ones_like(mask)  # nothing was found: the whole picture
    return placed(grey, mask)


def letterboxed(
    picture: Picture,
) -> tuple[npt.NDArray[np.uint8], tuple[int, int, int, int]]:
    """The whole picture in the middle of RGB [128, 128, 3]; and top, left, height, width of it."""
    height, width = picture.full or picture.grey.shape
    scale = PHOTO_EDGE / max(height, width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    color = picture.color
    if color is None:
        color = np.repeat(picture.grey[..., None], 3, axis=2)
    top, left = (PHOTO_EDGE - inner_height) // 2, (PHOTO_EDGE - inner_width) // 2
    square = np.zeros((PHOTO_EDGE, PHOTO_EDGE, 3), np.uint8)
    inner = resize(color, inner_width, inner_height)
    square[top : top + inner_height, left : left + inner_width] = inner
    return square, (top, left, inner_height, inner_width)


def largest_part(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The largest connected component of `mask` [H, W]; nothing when there is none."""
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return np.zeros_like(mask)
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    return np.asarray(parts == largest, np.bool_)


def placed(grey: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> Frame:
    """What `mask` shows of `grey`, both [H, W]: stretched, scaled, centred, black around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    grey, mask = grey[window], mask[window]
    low, high = np.percentile(grey[mask], (_LOW, _HIGH))
    stretched = (grey.astype(np.float32) - low) * ((_LIGHT - _DARK) / max(high - low, 1)) + _DARK
    cut_out = np.where(mask, stretched, 0).clip(0, 255).astype(np.uint8)
    scale = _LONGEST / max(mask.shape)
    height, width = (max(1, round(side * scale)) for side in mask.shape)
    frame = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    frame[top : top + height, left : left + width] = resize(cut_out, width, height)
    return frame
