"""Product pictures: one item on a plain light or dark background."""

from __future__ import annotations

import numpy as np

from fmnist_cli.contract import SIDE
from fmnist_cli.prepare.picture import Frame, Picture, resize
from fmnist_cli.prepare.preparation import Isolate


def prepare_product(picture: Picture, isolate: Isolate | None = None) -> Frame:
    """The whole picture letterboxed into 28×28, negated when its border is light.

    The longest edge becomes 28 pixels; the bars take the border's median level, so that
    they vanish into the background before and after the negation.
    """
    del isolate  # the plain background tells where the item is
    height, width = picture.full or picture.grey.shape
    scale = SIDE / max(height, width)
    inner = resize(picture.grey, max(1, round(width * scale)), max(1, round(height * scale)))
    border = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    level = int(np.median(border))
    frame = np.full((SIDE, SIDE), level, dtype=np.uint8)
    top = (SIDE - inner.shape[0]) // 2
    left = (SIDE - inner.shape[1]) // 2
    frame[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return np.subtract(255, frame, dtype=np.uint8) if level > 127 else frame
