"""Pictures for people: several side by side, with words above and below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Color = npt.NDArray[np.uint8]  # [H, W, 3], RGB

SCALE = 8  # of the pixels of a frame
PANEL = 28 * SCALE  # pixels of a side
SMALL = 64  # pixels of a side up to which a picture has its pixels drawn as squares
_GAP = 8
_TITLE = 22
_LINE = 22
_PAPER, _INK, _SOFT = "#14171b", "#e8eaed", "#a6afba"


def in_color(grey: npt.NDArray[np.uint8]) -> Color:
    """Grey [H, W] as RGB [H, W, 3]; what is RGB as it is."""
    return np.repeat(grey[..., None], 3, axis=2) if grey.ndim == 2 else grey


def panels(parts: Sequence[tuple[str, Color]], caption: str, below: str) -> Image.Image:
    """Pictures under their titles, with two lines below.

    What is small has each pixel drawn as a sharp square; what is larger is scaled to fit.
    """
    width = len(parts) * (PANEL + _GAP) + _GAP
    image = Image.new("RGB", (width, _TITLE + PANEL + 2 * _LINE + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(image)
    title, text = ImageFont.load_default(13), ImageFont.load_default(16)
    for number, (name, part) in enumerate(parts):
        left = _GAP + number * (PANEL + _GAP)
        panel = _panel(part)
        draw.text((left, 4), name, _SOFT, title)
        corner = left + (PANEL - panel.width) // 2, _TITLE + (PANEL - panel.height) // 2
        image.paste(panel, corner)
    top = _TITLE + PANEL + _GAP
    room = width - 2 * _GAP
    draw.text((_GAP, top), _fitted(draw, caption, text, room), _INK, text)
    draw.text((_GAP, top + _LINE), _fitted(draw, below, title, room), _SOFT, title)
    return image


def _panel(part: Color) -> Image.Image:
    scale = PANEL / max(part.shape[:2])
    height, width = (max(1, round(side * scale)) for side in part.shape[:2])
    small = max(part.shape[:2]) <= SMALL
    how = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return Image.fromarray(part).resize((width, height), how)


def _fitted(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    room: int,
) -> str:
    """`text`, its beginning left out if it is too long: the end of a path says more."""
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(f"… {text}", font) > room:
        text = text[1:]
    return f"… {text}"
