"""What the kinds of corruption do to a batch of pictures; `corruptions` lists the kinds.

An effect is a function of float32 [N, 28, 28] in 0..1, a level and a generator, and gives the same
shape; values outside 0..1 are cut off later. All is numpy but for JPEG.
"""

from __future__ import annotations

from typing import Any

import cv2
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


# Noise of the sensor and of the way from it.


def gaussian_noise(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Normal noise of standard deviation `level` in every pixel."""
    return images + np.float32(level) * rng.standard_normal(images.shape, np.float32)


def shot_noise(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Poisson noise: white is `level` photons, black stays black."""
    return (rng.poisson(images * level) / level).astype(np.float32)


def impulse_noise(images: Images, level: float, rng: np.random.Generator) -> Images:
    """A share `level` of the pixels is black or white, half and half."""
    hit = rng.random(images.shape, np.float32)
    white = rng.random(images.shape, np.float32) < 0.5
    return np.where(hit < level, white.astype(np.float32), images)


# Lost detail: focus, motion, frosted glass, resolution.

_FINE = 8  # points a side into which a pixel of the disc is divided


def defocus_blur(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Mean over a disc of radius `level`, its edge smoothed."""
    del rng
    reach = int(np.ceil(level))
    side = 2 * reach + 1
    axis = (np.arange(side * _FINE) + 0.5) / _FINE - side / 2
    inside = axis[:, None] ** 2 + axis**2 <= level**2
    kernel = inside.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3))
    return convolve(images, (kernel / kernel.sum()).astype(np.float32))


def motion_blur(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Mean along a line of length `level`, of another direction in each picture."""
    (x, y), (right, down) = grid(), directions(len(images), rng)
    steps = np.linspace(-0.5, 0.5, int(np.ceil(level)) + 1, dtype=np.float32) * np.float32(level)
    total = sum(sample(images, x + step * right, y + step * down) for step in steps)
    return np.asarray(total / np.float32(len(steps)), np.float32)


def glass_blur(images: Images, level: float, rng: np.random.Generator) -> Images:
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


# Light: too much, too little, or something in the air.


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


# What lies in front of the garment.

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


# The garment elsewhere, smaller, slanted or turned.


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


# Something else than black behind the garment: where a pixel is 0.


def _behind(images: Images, background: Floats | np.float32) -> Images:
    return np.where(images == 0, background, images).astype(np.float32)


def grey_background(images: Images, level: float, rng: np.random.Generator) -> Images:
    """An even grey."""
    del rng
    return _behind(images, np.float32(level))


def gradient_background(images: Images, level: float, rng: np.random.Generator) -> Images:
    """From black at one side to `level` at the other, any way."""
    (x, y), (right, down) = grid(), directions(len(images), rng)
    along = x * right + y * down
    reach = (SIDE - 1) / 2 * (np.abs(right) + np.abs(down))
    return _behind(images, np.float32(level) * (along / reach + 1) / 2)


def striped_background(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Black and `level` in turn, smoothly, every 4 to 10 pixels, any way."""
    (x, y), (right, down) = grid(), directions(len(images), rng)
    period, shift = 4 + 6 * rng.random((len(images), 1, 1)), rng.random((len(images), 1, 1))
    wave = np.sin(2 * np.pi * ((x * right + y * down) / period + shift))
    return _behind(images, np.float32(level) * (wave + 1) / 2)


def noisy_background(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Every pixel anything from black to `level`."""
    return _behind(images, np.float32(level) * rng.random(images.shape, np.float32))


def jpeg(images: Images, level: float, rng: np.random.Generator) -> Images:
    """Every picture saved at quality `level` of 100 and read again."""
    del rng
    setting = [cv2.IMWRITE_JPEG_QUALITY, int(level)]
    pixels = np.rint(images * 255).astype(np.uint8)
    read = [
        cv2.imdecode(cv2.imencode(".jpg", one, setting)[1], cv2.IMREAD_GRAYSCALE) for one in pixels
    ]
    return np.asarray(read, np.float32).reshape(images.shape) / 255
