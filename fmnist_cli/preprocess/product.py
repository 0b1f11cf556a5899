"""Product pictures: one item on a plain light or dark background.

The steps are those by which Zalando made Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv
1708.07747 §2): trim what is within 5 % of the background, scale the longest edge to the frame's,
sharpen, centre, negate. Backgrounds other than white are taken away as well.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Picture, Pixels
from fmnist_cli.preprocess.resize import resize

_EDGE = 128  # pixels that are looked at; 256 are no better, measured
_NEAR = 13  # levels: 5 % of 255
_SAME = 4  # levels within which an enclosed even patch is background seen through the item
_PATCH = 0.001  # of all pixels, the least that such a patch has
_SPECK = 0.0005  # of all pixels; what is smaller is dirt
_SPREAD = 6  # levels around the most frequent one that belong to the background's
_OPAQUE = 26  # alpha from which on an outline is part of the item: 10 %
_CUT_OUT = 0.03  # share of transparent pixels from which on alpha is an outline
_SHARPEN = 0.5  # weight of the difference from the picture blurred with sigma 1

Mask = npt.NDArray[np.bool_]


def prepare_product(picture: Picture, spec: InputSpec) -> Pixels:
    """The item trimmed, as large as it fits, centred, on black, negated on a light background.

    Where transparency outlines the item, it is the background, and the item is taken as it
    is over white. Where nothing stands out, the whole picture is the item.
    """
    grey = _at_most(picture.grey)
    if picture.alpha is not None and _is_cut_out(picture.alpha):
        item = _at_most(picture.alpha) >= _OPAQUE
        values = np.subtract(255, grey, dtype=np.uint8)
    else:
        level = background_level(_border(grey))
        difference = np.asarray(cv2.absdiff(grey, np.full_like(grey, level)), np.uint8)
        item = difference > _NEAR
        values = grey if level <= 127 else np.subtract(255, grey, dtype=np.uint8)
        ground = level if level <= 127 else 255 - level
        # On the background only what is left above its level: no halo is cut off hard.
        beyond = cv2.subtract(values, np.full_like(values, ground))
        inside = (~_background(difference)).view(np.uint8)
        values = np.asarray(cv2.copyTo(values, inside, beyond), np.uint8)
    return _centred(values[_window(item)], spec)


def spare_of_product(width: int, height: int, spec: InputSpec) -> float:
    """As much as a frame needs of the longest edge, of which trimming may leave half."""
    return max(width, height) / (4 * max(spec.height, spec.width))


def background_level(border: npt.NDArray[np.uint8]) -> int:
    """The level that is most frequent along the border, uint8 [N]: items may touch it."""
    counts = np.bincount(border, minlength=256)
    around = np.convolve(counts, np.ones(2 * _SPREAD + 1), "same")
    distance = np.abs(border.astype(np.int16) - int(np.argmax(around)))
    return int(np.median(border[distance <= _SPREAD]))


def _is_cut_out(alpha: npt.NDArray[np.uint8]) -> bool:
    """Whether transparency [H, W] outlines an item, and does not merely round the corners."""
    return bool(np.mean(alpha < 128) >= _CUT_OUT)


def _border(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The pixels at the edges, [H, W] → [2·(H + W)]; corners count twice."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _at_most(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape
    scale = _EDGE / max(height, width)
    if scale >= 1:
        return pixels
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


def _background(difference: npt.NDArray[np.uint8]) -> Mask:
    """What is near the background's level and connected with the border, and even patches."""
    near = cv2.copyMakeBorder(
        (difference <= _NEAR).view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1
    )
    cv2.floodFill(near, None, (0, 0), 2)
    outside: Mask = near[1:-1, 1:-1] == 2
    enclosed = (difference <= _SAME) & ~outside
    least = _least(enclosed, _PATCH)
    if np.count_nonzero(enclosed) < least:  # finding parts takes long
        return outside
    _, found = cv2.connectedComponents(enclosed.view(np.uint8))
    parts = np.asarray(found, np.int32)
    # Without OpenCV's statistics, which take longer than the parts themselves.
    large = np.bincount(parts.ravel()) >= least
    large[0] = False  # what is not enclosed
    return outside | np.take(large, parts)


def _window(item: Mask) -> tuple[slice, slice]:
    """Rows and columns of `item` without specks; with them if nothing else is left of 8 pixels."""
    _, _, parts, _ = cv2.connectedComponentsWithStats(item.view(np.uint8))
    parts = parts[1:]  # the first is what is not in `item`
    if np.count_nonzero(item) < 8:
        return slice(None), slice(None)
    areas = parts[:, cv2.CC_STAT_AREA]
    large = areas >= _least(item, _SPECK)
    left, top, width, height = (parts[large] if large.any() else parts).T[:4]
    return slice(top.min(), (top + height).max()), slice(left.min(), (left + width).max())


def _least(mask: Mask, share: float) -> float:
    """Pixels of the smallest part of `mask` that counts, if it is to cover this share of it."""
    return max(8, share * mask.size)


def _centred(values: npt.NDArray[np.uint8], spec: InputSpec) -> Pixels:
    """`values` [H, W] scaled to fit, sharpened, on black."""
    scale = min(spec.height / values.shape[0], spec.width / values.shape[1])
    height, width = (max(1, round(side * scale)) for side in values.shape)
    small = sharpened(resize(values, width, height))
    frame = np.zeros((spec.height, spec.width), np.uint8)
    top, left = (spec.height - height) // 2, (spec.width - width) // 2
    frame[top : top + height, left : left + width] = small
    return frame


def sharpened(pixels: npt.NDArray[np.uint8], amount: float = _SHARPEN) -> npt.NDArray[np.uint8]:
    """`pixels` [H, W] with `amount` of what a Gaussian of sigma 1 takes off them added."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.addWeighted(pixels, 1 + amount, blurred, -amount, 0), np.uint8)
