"""From any decoded picture to the 28×28 frame the models know: pure functions.

Adding a preparation is one function and one entry in `PREPARATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable

from fmnist_cli.prepare.choice import choose
from fmnist_cli.prepare.frame import prepare_frame
from fmnist_cli.prepare.photo import PHOTO_EDGE, prepare_photo
from fmnist_cli.prepare.picture import Frame, Picture
from fmnist_cli.prepare.preparation import ENOUGH, Isolate, Preparation
from fmnist_cli.prepare.product import prepare_product
from fmnist_cli.prepare.vary import vary

PREPARATIONS: dict[str, Preparation] = {
    "frame": Preparation(prepare_frame, edge=min),
    # Trimming may leave half of the edge.
    "product": Preparation(prepare_product, edge=max, enough=2 * ENOUGH),
    "photo": Preparation(prepare_photo, edge=max, enough=PHOTO_EDGE, color=True),
}
MODES: tuple[str, ...] = ("auto", *PREPARATIONS)

__all__ = ["MODES", "PREPARATIONS", "Frame", "Isolate", "Picture", "Preparation"]
__all__ += ["choose", "may_isolate", "needs_color", "prepare", "reduction", "vary"]


def prepare(
    picture: Picture, mode: str = "auto", isolate: Isolate | None = None
) -> tuple[Frame, str]:
    """The frame for `picture`, and the name of the preparation that made it.

    Args:
        picture: decoded with `reduction` and `needs_color` of the same mode.
        mode: one of `MODES`.
        isolate: finds garments in photos; without it, ``auto`` takes photos for products.

    Raises:
        KeyError: `mode` is none of `MODES`.
        ValueError: `mode` is ``photo``, and there is no `isolate`.
    """
    name = mode
    if mode == "auto":
        name = choose(picture)
        if name == "photo" and isolate is None:
            name = "product"
    return PREPARATIONS[name].make(picture, isolate), name


def reduction(mode: str = "auto") -> Callable[[int, int], int]:
    """How much smaller a picture may be decoded for `mode`: (width, height) → 1, 2, 4 or 8.

    Raises:
        KeyError: `mode` is none of `MODES`.
    """
    return _most_demanding(mode).reduction


def needs_color(mode: str = "auto") -> bool:
    """Whether pictures have to be decoded in colour for `mode`.

    Raises:
        KeyError: `mode` is none of `MODES`.
    """
    return _most_demanding(mode).color


def may_isolate(mode: str = "auto") -> bool:
    """Whether `mode` may come upon photos, whose garments have to be found.

    Raises:
        KeyError: `mode` is none of `MODES`.
    """
    return _most_demanding(mode) is PREPARATIONS["photo"]


def _most_demanding(mode: str) -> Preparation:
    # Frames are too small to be reduced, and products need less than photos.
    return PREPARATIONS["photo" if mode == "auto" else mode]
