"""From any decoded picture to the 28×28 frame the models know: pure functions.

Adding a preparation is one function and one entry in `PREPARATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable

from fmnist_cli.prepare.frame import is_frame, prepare_frame
from fmnist_cli.prepare.picture import Frame, Picture
from fmnist_cli.prepare.preparation import Preparation
from fmnist_cli.prepare.product import prepare_product

PREPARATIONS: dict[str, Preparation] = {
    "frame": Preparation(prepare_frame, edge=min),
    "product": Preparation(prepare_product, edge=max),
}
MODES: tuple[str, ...] = ("auto", *PREPARATIONS)

__all__ = ["MODES", "PREPARATIONS", "Frame", "Picture", "Preparation"]
__all__ += ["choose", "prepare", "reduction"]


def choose(picture: Picture) -> str:
    """The preparation that ``auto`` stands for: grey 28×28 pictures are frames already."""
    return "frame" if is_frame(picture) else "product"


def prepare(picture: Picture, mode: str = "auto") -> tuple[Frame, str]:
    """The frame for `picture`, and the name of the preparation that made it.

    Raises:
        KeyError: `mode` is none of `MODES`.
    """
    name = choose(picture) if mode == "auto" else mode
    return PREPARATIONS[name].make(picture), name


def reduction(mode: str = "auto") -> Callable[[int, int], int]:
    """How much smaller a picture may be decoded for `mode`: (width, height) → 1, 2, 4 or 8.

    Raises:
        KeyError: `mode` is none of `MODES`.
    """
    # Frames are too small to be reduced, so what is left of `auto` is products.
    return PREPARATIONS["product" if mode == "auto" else mode].reduction
