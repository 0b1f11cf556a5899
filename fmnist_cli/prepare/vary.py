"""The same thing photographed again: other views of a photo, to learn from.

A picture is varied before it is prepared. What finds the garment then errs as it does on other
photos, and a few turned pixels of a finished frame would be no match for a turned photo.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.prepare.picture import Picture, resize

_EDGE = 512  # pixels; frames of photos come from 128, and OpenCV turns none above 32,767
_TURN = 9.0  # degrees, standard deviation
_LYING = 0.06, 0.04  # shares that lie any way round, and turned by a quarter
_SIZE, _STRETCH, _SHEAR, _TILT = 0.13, 0.12, 0.1, 0.12  # reaches; of logarithms, of slopes
_GAMMA, _CAST, _LIGHT = 0.35, 0.15, 0.15  # of logarithms: of all, of a channel, of a place
_GREYS = 0.5  # of the logarithm of a channel's share of grey
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as decoding does it

Values = npt.NDArray[np.float32]


def vary(picture: Picture, generator: np.random.Generator) -> Picture:
    """Seen from elsewhere, in other light, with another idea of which colours are bright.

    Args:
        picture: grey or colour; its transparency is left aside.
        generator: of everything random.

    Returns:
        A picture of the same shape, or turned by a quarter, at most 512 pixels long.
    """
    seen = picture.grey if picture.color is None else picture.color
    scale = _EDGE / max(seen.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in seen.shape[:2])
        seen = resize(seen, width, height)
    matrix, size = _viewpoint(seen.shape[0], seen.shape[1], generator)

    moved = cv2.warpPerspective(
        seen, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    lit = _lit(np.asarray(moved, np.uint8), generator)
    if picture.color is None:
        return Picture(_bytes(lit), picture.colorless)
    shares = _LUMA * np.exp(generator.normal(0, _GREYS, 3))
    grey = lit @ (shares / shares.sum()).astype(np.float32)
    return Picture(_bytes(grey), picture.colorless, color=_bytes(lit))


def _viewpoint(
    height: int, width: int, generator: np.random.Generator
) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """Perspective matrix [3, 3] from old to new pixels, and the new width and height."""

    def between(reach: float) -> float:
        return float(generator.uniform(-reach, reach))

    anyhow, quarter = _LYING
    kind = generator.random()
    if kind < anyhow:
        angle = between(math.pi)
    else:
        angle = math.radians(generator.normal(0, _TURN))
        if kind < anyhow + quarter:
            angle += math.copysign(math.pi / 2, between(1))
    cos, sin = math.cos(angle), math.sin(angle)
    size = between(_SIZE)
    mirror = 1 if generator.random() < 0.5 else -1
    across, down = math.exp(size + between(_STRETCH)), math.exp(size + between(_STRETCH))
    tilt = np.array([[1, 0, 0], [0, 1, 0], [between(_TILT), between(_TILT), 1]])
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    stretch = np.array([[mirror * across, between(_SHEAR), 0], [0, down, 0], [0, 0, 1]])
    lying = abs(sin) > math.sqrt(0.5)
    new_width, new_height = (height, width) if lying else (width, height)
    half = max(height, width) / 2
    centred = np.array([[1 / half, 0, -width / 2 / half], [0, 1 / half, -height / 2 / half]])
    back = np.array([[half, 0, new_width / 2], [0, half, new_height / 2], [0, 0, 1]])
    matrix = back @ tilt @ turn @ stretch @ np.vstack([centred, [0, 0, 1]])
    return matrix, (new_width, new_height)


def _lit(pixels: npt.NDArray[np.uint8], generator: np.random.Generator) -> Values:
    """Brightness [H, W] or [H, W, 3], 0 to 1, in other light, brighter on one side."""
    values = np.asarray(pixels / 255, np.float32) ** math.exp(generator.uniform(-_GAMMA, _GAMMA))
    if values.ndim == 3:
        values = values * np.exp(generator.normal(0, _CAST, 3)).astype(np.float32)
    coarse = generator.normal(0, generator.uniform(0, _LIGHT), (3, 3)).astype(np.float32)
    size = values.shape[1], values.shape[0]
    light = np.exp(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))
    return np.asarray(values * (light[..., None] if values.ndim == 3 else light), np.float32)


def _bytes(values: Values) -> npt.NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
