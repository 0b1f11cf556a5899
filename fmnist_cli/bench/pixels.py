"""Images for timing where there are no real ones."""

from __future__ import annotations

import numpy as np

from fmnist_cli.contract import SIDE, Pixels

TIMED_IMAGES = 1024  # images that timed calls are made of


def random_pixels(images: int = TIMED_IMAGES, seed: int = 0) -> Pixels:
    """Noise, uint8 [images, 28, 28]: good enough for timing, the same every time."""
    return np.random.default_rng(seed).integers(0, 256, (images, SIDE, SIDE), dtype=np.uint8)
