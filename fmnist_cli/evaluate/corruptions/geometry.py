"""The garment elsewhere, smaller, slanted or turned."""

from __future__ import annotations

import numpy as np

from fmnist_cli.evaluate.corruptions.sampling import Images, grid, sample, signs


def translate(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` pixels along both axes, to any side."""
    (x, y), count = grid(), len(images)
    right, down = (np.float32(level) * signs((count, 1, 1), rng) for _ in range(2))
    return sample(images, x - right, y - down)


def scale(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` times as large, around the centre."""
    del rng
    x, y = grid()
    return sample(images, x / np.float32(level), y / np.float32(level))


def shear(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Rows moved sideways in proportion to their height, to either side."""
    x, y = grid()
    slope = np.float32(level) * signs((len(images), 1, 1), rng)
    return sample(images, x + slope * y, np.broadcast_to(y, images.shape))


def rotate(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` degrees anticlockwise, around the centre; the corners become black."""
    del rng
    x, y = grid()
    angle = np.deg2rad(np.float32(level))
    cos, sin = np.cos(angle), np.sin(angle)
    return sample(images, cos * x - sin * y, sin * x + cos * y)
