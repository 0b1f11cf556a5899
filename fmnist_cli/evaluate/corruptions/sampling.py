"""Reading a batch between its pixels: what blurs, warps and textures are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.data.fashion_mnist import SIDE

Floats = npt.NDArray[np.floating[Any]]
Images = Floats  # [N, 28, 28], 0..1

_CENTRE = (SIDE - 1) / 2


def grid() -> tuple[Floats, Floats]:
    """X and y of every pixel from the centre, float32 [28, 28] each, -13.5 to 13.5."""
    axis = np.arange(SIDE, dtype=np.float32) - np.float32(_CENTRE)
    x, y = np.meshgrid(axis, axis)
    return x, y


def sample(images: Images, x: Floats, y: Floats) -> Images:
    """Bilinear values at places given from the centre; black outside.

    Args:
        images: float32 [N, 28, 28].
        x: [N, 28, 28], or [28, 28] for all.
        y: as `x`.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    # One pixel of black all round is outside, too; whatever is further out is read there.
    x, y = (np.clip(one + np.float32(_CENTRE + 1), 0, SIDE + 1) for one in (x, y))
    left, top = (np.minimum(one.astype(np.intp), SIDE) for one in (x, y))
    right, below = (x - left).astype(np.float32), (y - top).astype(np.float32)
    number = np.arange(len(images))[:, None, None]
    upper = padded[number, top, left] * (1 - right) + padded[number, top, left + 1] * right
    top = top + 1
    lower = padded[number, top, left] * (1 - right) + padded[number, top, left + 1] * right
    mixed: Images = upper * (1 - below) + lower * below
    return mixed


def convolve(images: Images, kernel: Floats) -> Images:
    """Every picture with an odd, symmetric kernel [h, w]; edges are repeated outwards."""
    down, right = (size // 2 for size in kernel.shape)
    padded = np.pad(images, ((0, 0), (down, down), (right, right)), mode="edge")
    total = np.zeros_like(images)
    for (row, column), weight in np.ndenumerate(kernel):
        if weight:
            total += np.float32(weight) * padded[:, row : row + SIDE, column : column + SIDE]
    return total


def gaussian_blur(images: Images, sigma: float) -> Images:
    """Smoothed by a Gaussian of that many pixels, cut at three of them."""
    reach = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (weights / weights.sum()).astype(np.float32)
    return convolve(convolve(images, kernel[None]), kernel[:, None])


def smooth_noise(count: int, sigma: float, rng: np.random.Generator) -> Images:
    """Blotches about `sigma` pixels wide, float32 [count, 28, 28], each 0 to 1."""
    field = gaussian_blur(rng.random((count, SIDE, SIDE), np.float32), sigma)
    low, high = (of(field, axis=(1, 2), keepdims=True) for of in (np.min, np.max))
    spread: Images = (field - low) / np.maximum(high - low, 1e-6)
    return spread


def directions(count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Unit vectors any way, x and y float32 [count, 1, 1] each."""
    angle = (2 * np.pi * rng.random((count, 1, 1))).astype(np.float32)
    return np.cos(angle), np.sin(angle)


def signs(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """-1 or 1, each as likely."""
    return np.where(rng.random(shape) < 0.5, np.float32(-1), np.float32(1))
