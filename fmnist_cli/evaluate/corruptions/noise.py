"""Noise of the sensor and of the way from it."""

from __future__ import annotations

import numpy as np

from fmnist_cli.evaluate.corruptions.sampling import Images


def gaussian(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Normal noise of standard deviation `level` in every pixel."""
    return images + np.float32(level) * rng.standard_normal(images.shape, np.float32)


def shot(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Poisson noise: white is `level` photons, black stays black."""
    return (rng.poisson(images * level) / level).astype(np.float32)


def impulse(images: Images, level: float, rng: np.random.Generator) -> Images:
    """A share `level` of the pixels is black or white, half and half."""
    hit = rng.random(images.shape, np.float32)
    white = rng.random(images.shape, np.float32) < 0.5
    return np.where(hit < level, white.astype(np.float32), images)
