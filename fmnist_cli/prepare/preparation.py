"""What a preparation is: a function, and how large a picture has to be for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import SIDE
from fmnist_cli.prepare.picture import Frame, Picture

# At twice the side of a frame, averaging still has at least four pixels for each of the frame's.
ENOUGH = 2 * SIDE

Isolate = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""uint8 [H, W, 3] RGB → float32 [h, w], 0 to 1: how probably each place is garment."""


class Preparation(NamedTuple):
    """One way from a picture to a frame.

    Attributes:
        make: picture → uint8 [28, 28]; pure. What isolates garments is None where there is
            nothing to do it, or the preparation has no use for it.
        edge: which of width and height has to stay at least `enough` pixels: `max` where
            the aspect is kept, else `min`.
        enough: pixels.
        color: whether it looks at colour.
    """

    make: Callable[[Picture, Isolate | None], Frame]
    edge: Callable[[int, int], int]
    enough: int = ENOUGH
    color: bool = False

    def reduction(self, width: int, height: int) -> int:
        """What both sides may be divided by before `make` misses anything: 1, 2, 4 or 8."""
        edge = self.edge(width, height)
        for factor in (8, 4, 2):
            if edge >= factor * self.enough:
                return factor
        return 1
