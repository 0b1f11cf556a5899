"""From any decoded picture to the pixels that a model wants: pure functions.

Adding a preparation is one function and one entry in `PREPARATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fmnist_cli.contract import InputSpec, Picture, Pixels
from fmnist_cli.errors import UsageError
from fmnist_cli.preprocess.product import prepare_product, spare_of_product
from fmnist_cli.preprocess.resize import (
    is_frame,
    letterbox,
    prepare_frame,
    spare_of_frame,
    spare_of_letterbox,
    within_letterbox,
)


class Preparation(NamedTuple):
    """One way from a picture to what a model sees.

    Attributes:
        make: picture and spec → uint8 of the shape `InputSpec.shape`; pure.
        spare: (width, height, spec) → how many times smaller a picture of this size may be
            decoded, at most, before `make` misses anything. Which side is which does not
            matter: pictures may be stored turned.
        colors: the kinds of models it serves: ``"grey"``, ``"rgb"``.
        within: picture and spec → rows and columns of what `make` made that show the picture;
            None where all of it does.
    """

    make: Callable[[Picture, InputSpec], Pixels]
    spare: Callable[[int, int, InputSpec], float]
    colors: tuple[str, ...] = ("grey",)
    within: Callable[[Picture, InputSpec], tuple[slice, slice]] | None = None


def divisor(spare: float) -> int:
    """What both sides of a JPEG may be divided by, if a picture has this much to spare."""
    return next((factor for factor in (8, 4, 2) if factor <= spare), 1)


PREPARATIONS: dict[str, Preparation] = {
    "frame": Preparation(prepare_frame, spare_of_frame),
    "product": Preparation(prepare_product, spare_of_product),
    "letterbox": Preparation(letterbox, spare_of_letterbox, ("grey", "rgb"), within_letterbox),
}
AUTO = "auto"  # in a card: `frame` for frames, `product` for all else
MODES = (AUTO, "frame", "product")  # what a user may ask for; `auto` is what the card says

# What `auto` decodes has at least this edge, and its grey is made from colours: both are more
# than `product` needs, but kept, so that the rows of these models stay what they were.
_EDGE_OF_AUTO = 128
_MOST_PIXELS = 1 << 24  # that a model may want of a picture

__all__ = ["AUTO", "MODES", "PREPARATIONS", "Picture", "Preparation", "check_mode", "check_spec"]
__all__ += ["from_frames", "is_frame", "needs_color", "preprocess", "reduction"]


def preprocess(picture: Picture, spec: InputSpec, mode: str = AUTO) -> tuple[Pixels, str]:
    """What a model sees of `picture`, and the name of the preparation that made it.

    Args:
        picture: decoded with `reduction` and `needs_color` of the same spec and mode.
        spec: what the model wants.
        mode: ``"auto"`` for what the spec says, or a name in `PREPARATIONS`.

    Returns:
        uint8 of the shape `InputSpec.shape`.

    Raises:
        KeyError: there is no such preparation.
    """
    name = _meant(spec, mode)
    if name == AUTO:
        name = "frame" if is_frame(picture, spec) else "product"
    return PREPARATIONS[name].make(picture, spec), name


def reduction(spec: InputSpec, mode: str = AUTO) -> Callable[[int, int], int]:
    """How much smaller a picture may be decoded: (width, height) → 1, 2, 4 or 8.

    Raises:
        KeyError: there is no such preparation.
    """
    name = _meant(spec, mode)
    # Frames are too small to be reduced; what is none becomes a product.
    spare = PREPARATIONS["product" if name == AUTO else name].spare

    def factor(width: int, height: int) -> int:
        most = spare(width, height, spec)
        if name == AUTO:
            most = min(most, max(width, height) / _EDGE_OF_AUTO)
        return divisor(most)

    return factor


def needs_color(spec: InputSpec, mode: str = AUTO) -> bool:
    """Whether pictures have to be decoded in colour."""
    return spec.color == "rgb" or _meant(spec, mode) == AUTO


def from_frames(frames: Pixels, spec: InputSpec) -> Pixels:
    """Images of the data set as a model sees them; `frames` itself if it wants just these.

    Args:
        frames: uint8 [N, H, W], light garment on black.
        spec: what the model wants.

    Returns:
        uint8 [N, height, width] or [N, height, width, 3], as `spec` says.
    """
    if frames.shape[1:] == spec.shape:
        return frames
    mode = "frame" if spec.preprocessing == AUTO else AUTO
    made = [preprocess(Picture(frame, colorless=True), spec, mode)[0] for frame in frames]
    return np.stack(made) if made else np.empty((0, *spec.shape), np.uint8)


def check_spec(spec: InputSpec) -> None:
    """Whether there is a preparation for a spec.

    Raises:
        ValueError: there is none, or not with its parameters.
    """
    names = ("frame", "product") if spec.preprocessing == AUTO else (spec.preprocessing,)
    for name in names:
        if name not in PREPARATIONS:
            raise ValueError(f"its preprocessing {name!r} is unknown; a newer fmnist may know it")
        if spec.color not in PREPARATIONS[name].colors:
            raise ValueError(f"its preprocessing {name!r} makes no {spec.color} pixels")
    if spec.height * spec.width > _MOST_PIXELS:
        raise ValueError(f"its input of {spec.width}×{spec.height} pixels is too large")
    fill = spec.params.get("fill", 0)
    if isinstance(fill, str) or not 0 <= fill <= 255:
        raise ValueError(f"its fill {fill!r} is no grey level, 0 to 255")


def check_mode(mode: str, spec: InputSpec, option: str = "--prepare") -> None:
    """Whether a model lets its user choose this preparation.

    Raises:
        UsageError: it does not, or there is no such choice; names the option.
    """
    if mode not in MODES:
        raise UsageError(f"{option} {mode!r} is unknown; choose from {', '.join(MODES)}")
    if mode != AUTO and spec.preprocessing not in (AUTO, mode):
        raise UsageError(
            f"{option} {mode} is for models that take frames; this one says itself how its pictures"
            f" are prepared ({spec.preprocessing}). Leave {option} away, or choose another model"
        )


def _meant(spec: InputSpec, mode: str) -> str:
    return spec.preprocessing if mode == AUTO else mode
