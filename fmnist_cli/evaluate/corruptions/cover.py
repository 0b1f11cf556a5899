"""What lies in front of the garment."""

from __future__ import annotations

import numpy as np

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.evaluate.corruptions.sampling import Images, gaussian_blur, grid, smooth_noise

_MUD = np.float32(63 / 255)  # MNIST-C
_THICK = 2.3  # MNIST-C: half the thickness of a line, measured upright
_HALF_PERIOD, _AMPLITUDE = 4.0, 2.0


def spatter(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Dark grey drops over a share `level` of the picture."""
    drops = smooth_noise(len(images), 1.5, rng)
    ranked = np.sort(drops.reshape(len(images), SIDE * SIDE), axis=1)
    least = ranked[:, round((1 - level) * SIDE * SIDE), None, None]
    mask = gaussian_blur((drops >= least).astype(np.float32), 0.5)
    return images * (1 - mask) + _MUD * mask


def zigzag(images: Images, level: float, rng: np.random.Generator) -> Images:
    """`level` white zigzag lines from side to side, each at its own height and slope."""
    x, y = grid()
    for _ in range(int(level)):
        height = SIDE * (rng.random((len(images), 1, 1)) - 0.5)
        slope = 0.4 * (rng.random((len(images), 1, 1)) - 0.5)
        shift = 2 * _HALF_PERIOD * rng.random((len(images), 1, 1))
        phase = (x + shift) / _HALF_PERIOD % 2
        line = height + slope * x + _AMPLITUDE * (2 * np.abs(phase - 1) - 1)
        far = np.minimum(np.abs(y - line) / _THICK, 1 - 1e-6)
        images = np.minimum(images + np.clip(np.log(1 - far) + 1, 0, 1), 1).astype(np.float32)
    return images
