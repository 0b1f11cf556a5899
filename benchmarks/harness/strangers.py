"""Frames that are no garments, to measure a guard with; it has learned from other families.

Uint8 [count, 28, 28] of each, drawn by numpy's generators from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from fmnist_cli.contract import Pixels
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.ood.drawn import between, levels, per_frame, stretched

Family = Callable[[np.random.Generator, int], Pixels]

_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)


def uniform(rng: np.random.Generator, count: int) -> Pixels:
    """Every pixel any level."""
    return rng.integers(0, 256, (count, SIDE, SIDE)).astype(np.uint8)


def gaussian(rng: np.random.Generator, count: int) -> Pixels:
    """Normal noise about a level."""
    spread = per_frame(rng, count, 0.05, 0.4) * rng.normal(size=(count, SIDE, SIDE))
    return levels(per_frame(rng, count, 0.2, 0.8) + spread)


def blobs(rng: np.random.Generator, count: int) -> Pixels:
    """Normal noise, blurred over one to five pixels and stretched."""
    noise = rng.normal(size=(count, SIDE, SIDE))
    widths = rng.uniform(1, 5, count)
    blurred = [cv2.GaussianBlur(n, (0, 0), w) for n, w in zip(noise, widths, strict=True)]
    return levels(stretched(np.stack(blurred)))


def stripes(rng: np.random.Generator, count: int) -> Pixels:
    """Bars, hard or soft, in any direction."""
    turn, period = per_frame(rng, count, 0, np.pi), per_frame(rng, count, 2, 14)
    across = _COLUMNS * np.cos(turn) + _ROWS * np.sin(turn)
    wave = np.sin(2 * np.pi * across / period + per_frame(rng, count, 0, 2 * np.pi))
    hard = rng.random((count, 1, 1)) < 0.5
    return between(rng, np.where(hard, np.sign(wave), wave) / 2 + 0.5, 0.6)


def checkers(rng: np.random.Generator, count: int) -> Pixels:
    """Squares of one to nine pixels."""
    size = rng.integers(1, 10, (count, 1, 1))
    down, across = rng.integers(0, 10, (2, count, 1, 1))
    return between(rng, ((_COLUMNS + across) // size + (_ROWS + down) // size) % 2, 0.6)


def gradients(rng: np.random.Generator, count: int) -> Pixels:
    """From dark to light, along a line or from a point."""
    turn = per_frame(rng, count, 0, 2 * np.pi)
    straight = stretched(_COLUMNS * np.cos(turn) + _ROWS * np.sin(turn))
    middle = per_frame(rng, count, 4, 24), per_frame(rng, count, 4, 24)
    round_ = stretched(-np.hypot(_COLUMNS - middle[0], _ROWS - middle[1]))
    wave = np.where(rng.random((count, 1, 1)) < 0.5, straight, round_)
    return levels(wave * per_frame(rng, count, 0.4, 1))


def constant(rng: np.random.Generator, count: int) -> Pixels:
    """One level everywhere."""
    levels = rng.integers(0, 256, (count, 1, 1))
    return np.broadcast_to(levels, (count, SIDE, SIDE)).astype(np.uint8)


FAMILIES: Mapping[str, Family] = {
    "uniform noise": uniform,
    "normal noise": gaussian,
    "blobs": blobs,
    "stripes": stripes,
    "checkers": checkers,
    "gradients": gradients,
    "constant": constant,
}


def strangers(seed: int, count: int, images: Pixels) -> dict[str, Pixels]:
    """All families, and `images` with their pixels shuffled."""
    seeds = iter(np.random.SeedSequence(seed).spawn(len(FAMILIES) + 1))
    made = {
        name: make(np.random.default_rng(next(seeds)), count) for name, make in FAMILIES.items()
    }
    rng = np.random.default_rng(next(seeds))
    flat = images[rng.integers(0, len(images), count)].reshape(count, -1)
    made["shuffled images"] = rng.permuted(flat, axis=1).reshape(-1, SIDE, SIDE)
    return made
