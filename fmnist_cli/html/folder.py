"""A folder of pictures side by side, with a page of them: what `explain` and `prepare` write."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from fmnist_cli.html.contact_sheet import SMALL, Color

PAGE = "index.html"
SCALE = 8  # of the pixels of a frame
PANEL = 28 * SCALE  # pixels of a side
_GAP = 8
_TITLE = 22
_LINE = 22
_LONGEST = 300  # letters that could fit a line
_PAPER, _INK, _SOFT = "#14171b", "#e8eaed", "#a6afba"


def file_names(sources: Sequence[str]) -> list[str]:
    """``0001-coat.png`` and so on: the number of the picture, and what is left of its name."""
    width = max(4, len(str(len(sources))))
    names = []
    for number, source in enumerate(sources, start=1):
        # Of a name only what every file system takes, and no folders.
        stem = re.sub(r"\.\w{1,5}$", "", source.rpartition("/")[2])
        plain = re.sub(r"[^\w-]+", "-", stem, flags=re.ASCII).strip("-")[:60]
        names.append(f"{number:0{width}d}-{plain or 'picture'}.png")
    return names


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
    short = text[-_LONGEST:]
    if short == text and draw.textlength(text, font) <= room:
        return text
    text = short
    while text and draw.textlength(f"… {text}", font) > room:
        text = text[1:]
    return f"… {text}"
