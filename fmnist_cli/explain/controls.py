"""Maps that know nothing of the network: what a class activation map has to be better than."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Pixels

Maps = npt.NDArray[np.float32]  # [N, H, W], 0 to 1

_BLUR = 2.0  # pixels; about as smooth as maps enlarged from 7×7


def random(pixels: Pixels, seed: int = 0) -> Maps:
    """Every pixel for itself: uniform noise."""
    return np.random.default_rng(seed).random(pixels.shape, np.float32)


def blurred(pixels: Pixels, seed: int = 0) -> Maps:
    """The blurred picture itself: smooth, and on the garment wherever that is."""
    del seed
    return np.stack([cv2.GaussianBlur(p.astype(np.float32) / 255, (0, 0), _BLUR) for p in pixels])


def centre(pixels: Pixels, seed: int = 0) -> Maps:
    """A round hill in the middle, the same for all: garments are centred."""
    del seed
    side = pixels.shape[1]
    from_middle = np.arange(side) - (side - 1) / 2
    hill = np.exp(-(from_middle[:, None] ** 2 + from_middle**2) / (2 * (side / 4) ** 2))
    return np.broadcast_to(hill.astype(np.float32), pixels.shape)


CONTROLS: dict[str, Callable[..., Maps]] = {
    "random": random,
    "blurred": blurred,
    "centre": centre,
}
