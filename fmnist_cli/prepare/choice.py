"""Which preparation a picture needs, told cheaply: what ``auto`` stands for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fmnist_cli.prepare.frame import is_frame
from fmnist_cli.prepare.picture import Picture

_NEAR = 10  # levels of any channel around the border's median that count as the background
_PLAIN = 0.5  # share of the border that is background around a product; items touch it
_CUT_OUT = 0.03  # share of transparent pixels from which on alpha is an outline


def choose(picture: Picture) -> str:
    """``frame`` for grey 28×28 pictures, ``product`` on plain ground, else ``photo``."""
    if is_frame(picture):
        return "frame"
    return "product" if is_cut_out(picture) or has_plain_border(picture) else "photo"


def is_cut_out(picture: Picture) -> bool:
    """Whether transparency outlines an item, and does not merely round the corners."""
    alpha = picture.alpha
    return alpha is not None and bool(np.mean(alpha < 128) >= _CUT_OUT)


def has_plain_border(picture: Picture) -> bool:
    """Whether most of the picture's border has one colour."""
    pixels = picture.grey[..., None] if picture.color is None else picture.color
    border = border_of(pixels)
    distance = np.abs(border.astype(np.int16) - np.median(border, axis=0)).max(axis=1)
    return bool(np.mean(distance <= _NEAR) >= _PLAIN)


def border_of(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The pixels at the edges, [H, W, ...] → [2·(H + W), ...]; corners count twice."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
