"""Lost detail: focus, motion, frosted glass, resolution."""

from __future__ import annotations

import numpy as np

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.evaluate.corruptions.sampling import (
    Floats,
    Images,
    convolve,
    directions,
    gaussian_blur,
    grid,
    sample,
)

_FINE = 8  # points a side into which a pixel of the disc is divided


def defocus(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Mean over a disc of radius `level`, its edge smoothed."""
    del rng
    reach = int(np.ceil(level))
    side = 2 * reach + 1
    axis = (np.arange(side * _FINE) + 0.5) / _FINE - side / 2
    inside = axis[:, None] ** 2 + axis**2 <= level**2
    kernel = inside.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3))
    return convolve(images, (kernel / kernel.sum()).astype(np.float32))


def motion(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Mean along a line of length `level`, of another direction in each picture."""
    (x, y), (right, down) = grid(), directions(len(images), rng)
    steps = np.linspace(-0.5, 0.5, int(np.ceil(level)) + 1, dtype=np.float32) * np.float32(level)
    total = sum(sample(images, x + step * right, y + step * down) for step in steps)
    return np.asarray(total / np.float32(len(steps)), np.float32)


def glass(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Every pixel is one from up to `level` pixels away, smoothed before and after.

    MNIST-C exchanges neighbours one after the other, which no batch can.
    """
    (x, y), shape = grid(), images.shape
    across, along = (
        np.rint(np.float32(level) * (2 * rng.random(shape, np.float32) - 1)) for _ in range(2)
    )
    sigma = 0.2 + 0.2 * level
    return gaussian_blur(sample(gaussian_blur(images, sigma), x + across, y + along), sigma)


def pixelate(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Reduced to `level` pixels a side by area, and back."""
    del rng
    down = _areas(int(level))
    nearest = np.minimum(np.arange(SIDE) * int(level) // SIDE, int(level) - 1)
    small: Images = (down @ images @ down.T).astype(np.float32)
    return small[:, nearest][:, :, nearest]


def _areas(side: int) -> Floats:
    """Shares float32 [side, 28] of each pixel in each larger one; rows sum to 1."""
    edges = np.arange(side + 1) * SIDE / side
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(SIDE)
    shared = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    shares: Floats = (shared * side / SIDE).astype(np.float32)
    return shares
