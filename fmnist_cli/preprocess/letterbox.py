"""The whole picture, its aspect kept, in the middle of an even ground."""

from __future__ import annotations

import numpy as np

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.decode.picture import Picture, resize

_FILL = 127  # grey level around the picture, where the spec's parameters say no other `fill`


def letterbox(picture: Picture, spec: InputSpec) -> Pixels:
    """The picture as large as it fits: area averages when shrinking, else bilinear."""
    height, width = picture.full or picture.grey.shape
    scale = min(spec.height / height, spec.width / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if spec.color == "grey":
        inside = resize(picture.grey, *size)
    elif picture.color is not None:
        inside = resize(picture.color, *size)
    else:
        inside = np.repeat(resize(picture.grey, *size)[..., None], 3, axis=2)
    result = np.full(spec.shape, int(spec.params.get("fill", _FILL)), np.uint8)
    top, left = (spec.height - inside.shape[0]) // 2, (spec.width - inside.shape[1]) // 2
    result[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return result


def spare_of_letterbox(width: int, height: int, spec: InputSpec) -> float:
    """Twice the size it is shrunk to is enough, upright or turned by a quarter."""
    upright = max(width / spec.width, height / spec.height)
    turned = max(width / spec.height, height / spec.width)
    return min(upright, turned) / 2
