"""What timed calls are made of: images of the data set as a model wants them, or noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.preprocess import from_frames

TIMED_IMAGES = 1024
_TIMED_BYTES = 16 * 2**20  # of large images fewer are held


def random_pixels(shape: Sequence[int], images: int, seed: int = 0) -> Pixels:
    """Noise, uint8 [images, *shape]: good enough for timing, the same every time."""
    return np.random.default_rng(seed).integers(0, 256, (images, *shape), dtype=np.uint8)


def timed_pixels(spec: InputSpec, frames: Pixels | None) -> Pixels:
    """At most `TIMED_IMAGES` images, uint8 [N, *spec.shape].

    Args:
        spec: what the model wants.
        frames: uint8 [N, 28, 28], of the data set; None for noise.
    """
    count = max(1, min(TIMED_IMAGES, _TIMED_BYTES // math.prod(spec.shape)))
    if frames is None:
        return random_pixels(spec.shape, count)
    return from_frames(frames[:count], spec)
