"""The contact sheet: pictures with captions, as data for `templates/contact_sheet.html`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.decode import MAX_PIXELS
from fmnist_cli.preprocess.pipeline import Framing, fitted
from fmnist_cli.sources.items import MAX_BYTES, Item

Color = npt.NDArray[np.uint8]  # [H, W, 3], RGB

THUMBNAIL = 96  # the longest edge, pixels
SMALL = 64  # up to this edge each pixel matters: no losses, and drawn as a sharp square


class Shown(NamedTuple):
    """A picture on a page.

    Attributes:
        source: data URI.
        alt: what is to be seen.
        look: class in the style sheet.
        size: width and height, where they are to be reserved.
        caption: lines below it.
    """

    source: str
    alt: str
    look: str = "whole"
    size: tuple[int, int] | None = None
    caption: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One or several pictures and what is said of them.

    Attributes:
        pictures: side by side; where there are none the page says so.
        verdicts: what is said, and how surely.
        given: the same of what was said before, above the verdicts.
        flags: short remarks.
        notes: lines of softer text.
        path: which picture it is.
        data: what page.js filters by.
    """

    pictures: Sequence[Shown]
    verdicts: Sequence[tuple[str, str]] = ()
    given: tuple[str, str] | None = None
    flags: Sequence[str] = ()
    notes: Sequence[str] = ()
    path: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


def in_color(pixels: Pixels) -> Color:
    """Grey [H, W] as RGB [H, W, 3]; what is RGB as it is."""
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def data_uri(pixels: Pixels, kind: Literal["png", "webp"] | None = None) -> str:
    """Grey [H, W] or RGB [H, W, 3] as a data URI; by default PNG if it is small, else WebP."""
    kind = kind or ("png" if max(pixels.shape[:2]) <= SMALL else "webp")
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    quality = (cv2.IMWRITE_PNG_COMPRESSION, 9) if kind == "png" else (cv2.IMWRITE_WEBP_QUALITY, 80)
    content = cv2.imencode(f".{kind}", bgr, quality)[1].tobytes()
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def pixels_of(pixels: Pixels, alt: str, look: str = "whole") -> Shown:
    """A picture without losses, of which each pixel is to be seen."""
    height, width = pixels.shape[:2]
    return Shown(data_uri(pixels, "png"), alt, look, (width, height))


def heat_colors(heat: npt.NDArray[np.uint8]) -> Color:
    """uint8 [H, W] → RGB [H, W, 3] by viridis: even steps for every eye, a colour-blind one too."""
    return np.asarray(
        cv2.cvtColor(cv2.applyColorMap(heat, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8
    )


def under_heat(pixels: Pixels, heat: npt.NDArray[np.uint8], strength: float = 0.8) -> Color:
    """The picture, coloured the more the greater the evidence: RGB [H, W, 3].

    Args:
        pixels: uint8 [H, W] or [H, W, 3].
        heat: uint8 [H, W].
        strength: of the colour where the evidence is greatest, 0 to 1.
    """
    share = strength * heat[..., None].astype(np.float32) / 255
    return np.rint((1 - share) * in_color(pixels) + share * heat_colors(heat)).astype(np.uint8)


class Thumbnails:
    """Callable: (item, path, preparation, model) → the original in small, and what the model saw.

    What cannot be had is left out; the original also where it would show the same again.

    Args:
        specs: what the models of the rows want, by the names that rows have for them.
        mode: with which the rows were made.
        max_pixels, max_bytes: as for the rows.
    """

    def __init__(
        self,
        specs: Mapping[str | None, InputSpec],
        mode: str = "auto",
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._specs = specs
        self._framing = Framing(
            *specs.values(), mode=mode, max_pixels=max_pixels, max_bytes=max_bytes
        )

    def __call__(
        self, item: Item, path: str, prepared: str, model: str | None = None
    ) -> list[Shown]:
        """The pictures of an item, which is shown under the name `path`."""
        try:
            spec = self._specs[model]
            seen, _, small = self._framing.beside(item, spec, THUMBNAIL, prepared)
        except Exception:  # gone, changed, or too large by now: the page shows the rest
            return []
        if np.array_equal(small, seen):
            return [Shown(data_uri(small), path, "frame alone")]
        kind: Literal["png", "webp"] = "png" if max(seen.shape[:2]) <= SMALL else "webp"
        frame = data_uri(fitted(seen, SMALL), kind)  # shown smaller than the original
        return [
            Shown(data_uri(small), path, "original"),
            Shown(frame, f"{path} as the model saw it", "frame"),
        ]
