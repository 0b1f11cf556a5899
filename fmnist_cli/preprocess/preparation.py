"""What a preparation is: a function, and how large a picture has to be for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.decode.picture import Picture


class Preparation(NamedTuple):
    """One way from a picture to what a model sees.

    Attributes:
        make: picture and spec → uint8 of the shape `InputSpec.shape`; pure.
        spare: (width, height, spec) → how many times smaller a picture of this size may be
            decoded, at most, before `make` misses anything. Which side is which does not
            matter: pictures may be stored turned.
        colors: the kinds of models it serves: ``"grey"``, ``"rgb"``.
    """

    make: Callable[[Picture, InputSpec], Pixels]
    spare: Callable[[int, int, InputSpec], float]
    colors: tuple[str, ...] = ("grey",)


def divisor(spare: float) -> int:
    """What both sides of a JPEG may be divided by, if a picture has this much to spare."""
    return next((factor for factor in (8, 4, 2) if factor <= spare), 1)
