"""What a preparation is: a function, and how large a picture has to be for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fmnist_cli.contract import SIDE
from fmnist_cli.prepare.picture import Frame, Picture

# At twice the side of a frame, averaging still has at least four pixels for each of the frame's.
ENOUGH = 2 * SIDE


class Preparation(NamedTuple):
    """One way from a picture to a frame.

    Attributes:
        make: uint8 [H, W] → uint8 [28, 28]; pure.
        edge: which of width and height has to stay at least `ENOUGH` pixels: `max` where
            the aspect is kept, else `min`.
    """

    make: Callable[[Picture], Frame]
    edge: Callable[[int, int], int]

    def reduction(self, width: int, height: int) -> int:
        """What both sides may be divided by before `make` misses anything: 1, 2, 4 or 8."""
        edge = self.edge(width, height)
        for factor in (8, 4, 2):
            if edge >= factor * ENOUGH:
                return factor
        return 1
