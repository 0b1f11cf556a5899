"""Masks of photos: where the garment is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.runtime.decode import decode

Mask = npt.NDArray[np.float32]


def read_mask(path: Path) -> Mask:
    """Float32 [H, W], 0 to 1: what is opaque of a cut-out, else what is white.

    Raises:
        ImageError, OSError: there is none, or it cannot be read.
    """
    picture = decode(path.read_bytes())
    mask = picture.grey if picture.alpha is None else picture.alpha
    return np.asarray(mask / 255, np.float32)


def overlap(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Intersection over union of two masks of one shape, bool or 0 to 1."""
    one, other = first > 0.5, second > 0.5
    return float((one & other).sum() / max((one | other).sum(), 1))
