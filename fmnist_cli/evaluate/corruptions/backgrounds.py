"""Something else than black behind the garment: where a pixel is 0."""

from __future__ import annotations

import numpy as np

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.evaluate.corruptions.sampling import Floats, Images, directions, grid


def _behind(images: Images, background: Floats | np.float32) -> Images:
    return np.where(images == 0, background, images).astype(np.float32)


def grey(images: Images, level: float, rng: np.random.Generator) -> Images:
    """An even grey."""
    del rng
    return _behind(images, np.float32(level))


def gradient(images: Images, level: float, rng: np.random.Generator) -> Images:
    """From black at one side to `level` at the other, any way."""
    (x, y), (right, down) = grid(), directions(len(images), rng)
    along = x * right + y * down
    reach = (SIDE - 1) / 2 * (np.abs(right) + np.abs(down))
    return _behind(images, np.float32(level) * (along / reach + 1) / 2)


def stripes(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Black and `level` in turn, smoothly, every 4 to 10 pixels, any way."""
    (x, y), (right, down) = grid(), directions(len(images), rng)
    period, shift = 4 + 6 * rng.random((len(images), 1, 1)), rng.random((len(images), 1, 1))
    wave = np.sin(2 * np.pi * ((x * right + y * down) / period + shift))
    return _behind(images, np.float32(level) * (wave + 1) / 2)


def noise(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Every pixel anything from black to `level`."""
    return _behind(images, np.float32(level) * rng.random(images.shape, np.float32))
