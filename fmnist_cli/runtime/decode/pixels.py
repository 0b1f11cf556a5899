"""Colour, transparency and depth → 8-bit grey: the same arithmetic on both paths."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import SIDE
from fmnist_cli.errors import ImageError

Grey = npt.NDArray[np.uint8]


def over_white(rgba: npt.NDArray[np.uint8], to_grey: int = cv2.COLOR_RGBA2GRAY) -> Grey:
    """The luma of `rgba` [H, W, 4], alpha not multiplied in, on a white background."""
    darkness = cv2.bitwise_not(cv2.cvtColor(rgba, to_grey))
    covered = cv2.multiply(darkness, cv2.extractChannel(rgba, 3), scale=1 / 255)
    return np.asarray(cv2.bitwise_not(covered), np.uint8)


def has_equal_channels(rgb: npt.NDArray[np.uint8]) -> bool:
    """Whether a frame was stored as colour; larger pictures are not looked through."""
    return rgb.shape[:2] == (SIDE, SIDE) and bool((rgb == rgb[:, :, :1]).all())


def scaled_to_8_bit(values: npt.NDArray[Any], top: int = 65535) -> Grey:
    """Grey of more than 8 bits: whole numbers from 0..`top`, floats from 0..1 or 0..255.

    Raises:
        ImageError: values that are not finite.
    """
    if values.dtype.kind != "f":
        levels = np.rint(np.arange(65536) * (255 / top)).clip(max=255).astype(np.uint8)
        if values.dtype.itemsize > 2:
            values = values.clip(0, 65535).astype(np.uint16)
        grey: Grey = levels[values]
        return grey
    if not np.isfinite(values).all():
        raise ImageError("damaged image: values that are not finite")
    scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
    scaled = values * np.float32(scale)
    np.clip(scaled, 0, 255, out=scaled)
    return np.rint(scaled, out=scaled).astype(np.uint8)
