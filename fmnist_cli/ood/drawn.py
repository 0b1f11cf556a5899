"""Drawn frames that show no garment, for a guard to learn from (outlier exposure).

Each family is a function of a generator and a count and gives uint8 [count, 28, 28]; the same
generator gives the same frames. To measure with, `benchmarks/harness/strangers.py` has others.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from math import comb

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Pixels
from fmnist_cli.data.fashion_mnist import SIDE

Floats = npt.NDArray[np.float64]
Family = Callable[[np.random.Generator, int], Pixels]

_FINE = 4 * SIDE  # strokes and shapes are drawn at this size and shrunk, for smooth edges
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)


def per_frame(rng: np.random.Generator, count: int, low: float, high: float) -> Floats:
    """A number for each frame, [count, 1, 1]."""
    return rng.uniform(low, high, (count, 1, 1))


def levels(values: Floats) -> Pixels:
    """Brightness of 0 to 1 in 256 levels; what is beyond is cut off."""
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


def stretched(values: Floats) -> Floats:
    """Each frame of [N, 28, 28] from 0 to 1."""
    low, high = values.min((1, 2), keepdims=True), values.max((1, 2), keepdims=True)
    return np.asarray((values - low) / np.maximum(high - low, 1e-6))


def between(rng: np.random.Generator, wave: Floats, least: float = 0.5) -> Pixels:
    """A wave of 0 to 1 between a dark level and a light one, of `least` to 1, of its own."""
    dark, light = per_frame(rng, len(wave), 0, 0.5), per_frame(rng, len(wave), least, 1)
    return levels(dark + (light - dark) * wave)


def _shrunk(drawings: Pixels) -> Pixels:
    shrunk = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in drawings]
    return np.asarray(shrunk, np.uint8)


def _curve(rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """A walk of two to five points, straight or as a Bézier curve."""
    count = int(rng.integers(2, 6))
    if rng.random() < 0.5:
        points = rng.uniform(12, 100, (count, 2))
    else:
        steps = np.cumsum(rng.normal(0, 22, (count, 2)), axis=0)
        points = np.clip(rng.uniform(20, 92, (1, 2)) + steps, 8, 104)
    if rng.random() < 0.7:
        along = np.linspace(0, 1, 40)[:, None]
        order = np.arange(count)
        weights = np.array([comb(count - 1, int(i)) for i in order])
        points = (weights * along**order * (1 - along) ** (count - 1 - order)) @ points
    return np.rint(points).astype(np.int32)


def strokes(rng: np.random.Generator, count: int) -> Pixels:
    """Pen strokes and arcs."""
    drawings = np.zeros((count, _FINE, _FINE), np.uint8)
    for drawing in drawings:
        for _ in range(rng.integers(1, 5)):
            closed, level = bool(rng.random() < 0.15), int(rng.integers(120, 256))
            cv2.polylines(
                drawing, [_curve(rng)], closed, level, int(rng.integers(3, 20)), cv2.LINE_AA
            )
        if rng.random() < 0.3:
            _ellipse(rng, drawing, 255, (30, 80), (8, 40), int(rng.integers(3, 18)))
    return _shrunk(drawings)


def _ellipse(
    rng: np.random.Generator,
    drawing: Pixels,
    level: int,
    middle: tuple[int, int],
    axes: tuple[int, int],
    thickness: int,
) -> None:
    center, radii = rng.integers(*middle, 2).tolist(), rng.integers(*axes, 2).tolist()
    end = 360.0 if thickness < 0 else float(rng.uniform(120, 360))
    turn = float(rng.uniform(0, 180))
    cv2.ellipse(drawing, center, radii, turn, 0.0, end, level, thickness, cv2.LINE_AA)


def shapes(rng: np.random.Generator, count: int) -> Pixels:
    """Polygons, ellipses and letters on top of each other."""
    drawings = np.zeros((count, _FINE, _FINE), np.uint8)
    for drawing in drawings:
        if rng.random() < 0.4:
            drawing[:] = rng.integers(0, 256)
        for _ in range(rng.integers(1, 6)):
            level, kind = int(rng.integers(0, 256)), int(rng.integers(3))
            if kind == 0:
                corners = rng.integers(0, _FINE, (rng.integers(3, 7), 2)).astype(np.int32)
                cv2.fillPoly(drawing, [corners], level, cv2.LINE_AA)
            elif kind == 1:
                _ellipse(rng, drawing, level, (0, _FINE), (4, 50), -1)
            else:
                where = int(rng.integers(0, 50)), int(rng.integers(60, _FINE))
                font, scale = int(rng.integers(0, 8)), float(rng.uniform(1, 4))
                letter = str(rng.choice(list(string.ascii_letters)))
                thick = int(rng.integers(2, 10))
                cv2.putText(drawing, letter, where, font, scale, level, thick, cv2.LINE_AA)
    return _shrunk(drawings)


def clouds(rng: np.random.Generator, count: int) -> Pixels:
    """Noise whose spectrum falls with some power of the frequency, from white to smooth."""
    frequencies = np.fft.fftfreq(SIDE)
    distance = np.hypot(*np.meshgrid(frequencies, frequencies))
    distance[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(count, SIDE, SIDE)))
    noise = np.fft.ifft2(spectrum * distance ** -per_frame(rng, count, 0, 2.5)).real
    dark = per_frame(rng, count, 0, 0.6)
    return levels(dark + (1 - dark) * stretched(noise) ** per_frame(rng, count, 0.5, 2))


def specks(rng: np.random.Generator, count: int) -> Pixels:
    """Salt and pepper on a plain ground."""
    shape = (count, SIDE, SIDE)
    speck = rng.random(shape) < per_frame(rng, count, 0.01, 0.5)
    return levels(np.where(speck, rng.random(shape) < 0.5, per_frame(rng, count, 0, 1)))


def lattices(rng: np.random.Generator, count: int) -> Pixels:
    """Dots, plaids, rings and broken bars."""
    turn, period = per_frame(rng, count, 0, np.pi), per_frame(rng, count, 2, 14)
    across = _COLUMNS * np.cos(turn) + _ROWS * np.sin(turn)
    along = _ROWS * np.cos(turn) - _COLUMNS * np.sin(turn)
    one = np.sin(2 * np.pi * across / period + per_frame(rng, count, 0, 6))
    other = np.sin(2 * np.pi * along / per_frame(rng, count, 2, 14) + per_frame(rng, count, 0, 6))
    middle = np.hypot(
        _COLUMNS - per_frame(rng, count, 0, SIDE), _ROWS - per_frame(rng, count, 0, SIDE)
    )
    rings = np.sin(2 * np.pi * middle / period)
    kinds = np.stack([one * other, np.maximum(one, other), rings, np.sign(one + other)])
    wave = kinds[rng.integers(0, len(kinds), count), np.arange(count)]
    return between(rng, wave / 2 + 0.5)


def slopes(rng: np.random.Generator, count: int) -> Pixels:
    """Smooth surfaces of the second degree, down to plain grey."""
    x, y = (_COLUMNS - 13.5) / 14, (_ROWS - 13.5) / 14
    terms = np.stack([x, y, x * y, x * x, y * y])
    surface = stretched(np.tensordot(rng.normal(size=(count, len(terms))), terms, 1))
    contrast = per_frame(rng, count, 0, 1)
    return levels(per_frame(rng, count, 0, 1) * (1 - contrast) + contrast * surface)


def silhouettes(rng: np.random.Generator, count: int) -> Pixels:
    """Clouds within chance outlines, on black as garments are."""
    rough = rng.normal(size=(count, SIDE, SIDE))
    widths = rng.uniform(1, 5, count)
    smooth = np.stack([cv2.GaussianBlur(n, (0, 0), w) for n, w in zip(rough, widths, strict=True)])
    edge = np.maximum(abs(_COLUMNS - 13.5), abs(_ROWS - 13.5)) / 14
    inside = stretched(smooth) * np.clip(1 - edge, 0, 1) ** 0.3
    mask = np.clip((inside - per_frame(rng, count, 0.35, 0.65)) * 8, 0, 1)
    return np.asarray(clouds(rng, count) * mask, np.uint8)


FAMILIES: Mapping[str, Family] = {
    "strokes": strokes,
    "shapes": shapes,
    "clouds": clouds,
    "specks": specks,
    "lattices": lattices,
    "slopes": slopes,
    "silhouettes": silhouettes,
}


def mosaics(rng: np.random.Generator, count: int, images: Pixels) -> Pixels:
    """Pieces of several images side by side."""
    result = np.empty((count, SIDE, SIDE), np.uint8)
    for frame in result:
        across = int(rng.choice([2, 4, 7]))
        side = SIDE // across
        sources = images[rng.integers(0, len(images), across * across)]
        for index, source in enumerate(sources):
            top, left = (side * at for at in divmod(index, across))
            from_top, from_left = side * rng.integers(0, across, 2)
            piece = source[from_top : from_top + side, from_left : from_left + side]
            frame[top : top + side, left : left + side] = piece
    return result


def scraps(rng: np.random.Generator, count: int, images: Pixels) -> Pixels:
    """A detail of an image, so large that no garment is to be seen."""
    result = np.empty((count, SIDE, SIDE), np.uint8)
    for index, source in enumerate(images[rng.integers(0, len(images), count)]):
        side = int(rng.integers(6, 15))
        top, left = rng.integers(4, 25 - side, 2)
        piece = np.ascontiguousarray(source[top : top + side, left : left + side])
        result[index] = cv2.resize(piece, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return result


def draw(seed: int, count: int, images: Pixels) -> dict[str, Pixels]:
    """`count` frames uint8 [count, 28, 28] of each family.

    Args:
        seed: the same seed gives the same frames.
        count: of each family.
        images: uint8 [N, 28, 28], to cut up.
    """
    seeds = iter(np.random.SeedSequence(seed).spawn(len(FAMILIES) + 2))
    drawn = {
        name: family(np.random.default_rng(next(seeds)), count) for name, family in FAMILIES.items()
    }
    drawn["mosaics"] = mosaics(np.random.default_rng(next(seeds)), count, images)
    drawn["scraps"] = scraps(np.random.default_rng(next(seeds)), count, images)
    return drawn
