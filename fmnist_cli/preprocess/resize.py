"""Whole pictures at another size: resized, as a frame, or letterboxed on an even ground."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Picture, Pixels


def resize(pixels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """`pixels` [H, W] or [H, W, C] at another size: area averages when shrinking, else bilinear.

    The one resizer of the project: training, evaluation and serving all come here.
    """
    shrinking = width * height < pixels.shape[0] * pixels.shape[1]
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation), np.uint8)


def is_frame(picture: Picture, spec: InputSpec) -> bool:
    """Whether the picture is grey and just as large as the model's input."""
    size = spec.height, spec.width
    return picture.colorless and picture.full is None and picture.grey.shape == size


def prepare_frame(picture: Picture, spec: InputSpec) -> Pixels:
    """The grey pixels: bit for bit at the model's size, else resized without keeping the aspect."""
    if picture.grey.shape == (spec.height, spec.width):
        return picture.grey
    return resize(picture.grey, spec.width, spec.height)


def spare_of_frame(width: int, height: int, spec: InputSpec) -> float:
    """At twice the side, averaging still has at least four pixels for each of the frame's."""
    return min(width, height) / (2 * max(spec.height, spec.width))


_FILL = 127  # grey level around the picture, where the spec's parameters say no other `fill`


def letterbox(picture: Picture, spec: InputSpec) -> Pixels:
    """The picture as large as it fits: area averages when shrinking, else bilinear."""
    rows, columns = within_letterbox(picture, spec)
    size = columns.stop - columns.start, rows.stop - rows.start
    if spec.color == "grey":
        inside = resize(picture.grey, *size)
    elif picture.color is not None:
        inside = resize(picture.color, *size)
    else:
        inside = np.repeat(resize(picture.grey, *size)[..., None], 3, axis=2)
    result = np.full(spec.shape, int(spec.params.get("fill", _FILL)), np.uint8)
    result[rows, columns] = inside
    return result


def within_letterbox(picture: Picture, spec: InputSpec) -> tuple[slice, slice]:
    """Rows and columns of what `letterbox` makes that show the picture; the rest is even ground."""
    height, width = picture.full or picture.grey.shape
    scale = min(spec.height / height, spec.width / width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (spec.height - height) // 2, (spec.width - width) // 2
    return slice(top, top + height), slice(left, left + width)


def spare_of_letterbox(width: int, height: int, spec: InputSpec) -> float:
    """Twice the size it is shrunk to is enough, upright or turned by a quarter."""
    upright = max(width / spec.width, height / spec.height)
    turned = max(width / spec.height, height / spec.width)
    return min(upright, turned) / 2
