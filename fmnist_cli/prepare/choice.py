"""Which preparation a picture needs, told cheaply: what ``auto`` stands for.

Shops' backgrounds have one colour, made so; walls, floors and beds have light and shade. Over
the training photos and renders of benchmarks/preparation.py the share of the border that is
close to its median tells them apart; docs/preparation.md has the figures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fmnist_cli.prepare.frame import is_frame
from fmnist_cli.prepare.picture import Picture, border_of

_NEAR = 6  # levels of any channel around the border's median that count as the background
_PLAIN = 0.5  # share of the border that is background around a product; items touch it
_CUT_OUT = 0.03  # share of transparent pixels from which on alpha is an outline
_LOOKED_AT = 512  # pixels of the border; more tell no more


def choose(picture: Picture) -> str:
    """``frame`` for grey 28×28 pictures, ``product`` on plain ground, else ``photo``."""
    if is_frame(picture):
        return "frame"
    if picture.alpha is not None and is_cut_out(picture.alpha):
        return "product"
    return "product" if has_plain_border(picture) else "photo"


def is_cut_out(alpha: npt.NDArray[np.uint8]) -> bool:
    """Whether transparency [H, W] outlines an item, and does not merely round the corners."""
    return bool(np.mean(alpha < 128) >= _CUT_OUT)


def has_plain_border(picture: Picture) -> bool:
    """Whether most of the picture's border has one colour."""
    border = border_of(picture.grey[..., None] if picture.color is None else picture.color)
    border = border[:: -(-len(border) // _LOOKED_AT)].astype(np.int16)
    distance = np.abs(border - np.median(border, axis=0)).max(axis=1)
    return bool(np.mean(distance <= _NEAR) >= _PLAIN)
