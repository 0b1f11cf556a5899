"""Light: too much, too little, or something in the air."""

from __future__ import annotations

import numpy as np

from fmnist_cli.evaluate.corruptions.sampling import Images, smooth_noise


def brightness(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` brighter everywhere, the background too."""
    del rng
    return images + np.float32(level)


def contrast(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` times as far from the picture's mean."""
    del rng
    mean: Images = images.mean(axis=(1, 2), keepdims=True)
    return mean + np.float32(level) * (images - mean)


def fog(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` times a cloud is added and the whole darkened to the old maximum.

    The cloud is smooth noise of three sizes; MNIST-C makes it by diamonds and squares.
    """
    cloud = sum(
        (share * smooth_noise(len(images), sigma, rng))
        for share, sigma in ((np.float32(0.6), 6), (np.float32(0.3), 3), (np.float32(0.1), 1.5))
    )
    most = images.max(axis=(1, 2), keepdims=True)
    return np.asarray((images + np.float32(level) * cloud) * most / (most + level), np.float32)


def negative(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Dark garment on white."""
    del level, rng
    return 1 - images
