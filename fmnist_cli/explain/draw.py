"""Pictures for people: the triptych original, heat map, overlay."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fmnist_cli.contract import SIDE
from fmnist_cli.explain.explanation import Heat
from fmnist_cli.prepare.picture import Frame

Color = npt.NDArray[np.uint8]  # [H, W, 3], RGB

SCALE = 8
_SIDE = SCALE * SIDE
_GAP = 8
_TITLE = 22
_LINE = 22
_WIDTH = 3 * _SIDE + 4 * _GAP
_PAPER, _INK, _SOFT = "#14171b", "#e8eaed", "#a6afba"
_PANELS = ("as the model sees it", "heat map", "both")
_STRENGTH = 0.8  # of the colour where the evidence is greatest


def colored(heat: Heat) -> Color:
    """uint8 [H, W] → RGB [H, W, 3] by viridis: even steps for every eye, a colour-blind one too."""
    return np.asarray(
        cv2.cvtColor(cv2.applyColorMap(heat, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8
    )


def overlaid(pixels: Frame, heat: Heat) -> Color:
    """The picture, coloured the more the greater the evidence: RGB [28, 28, 3]."""
    share = _STRENGTH * heat[..., None].astype(np.float32) / 255
    grey = np.repeat(pixels[..., None], 3, axis=2)
    return np.rint((1 - share) * grey + share * colored(heat)).astype(np.uint8)


def triptych(pixels: Frame, heat: Heat, caption: str, below: str) -> Image.Image:
    """The three pictures side by side, each pixel a sharp square, with two lines below."""
    image = Image.new("RGB", (_WIDTH, _TITLE + _SIDE + 2 * _LINE + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(image)
    title, text = ImageFont.load_default(13), ImageFont.load_default(16)
    grey = np.repeat(pixels[..., None], 3, axis=2)
    for number, part in enumerate((grey, colored(heat), overlaid(pixels, heat))):
        left = _GAP + number * (_SIDE + _GAP)
        panel = Image.fromarray(part).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        draw.text((left, 4), _PANELS[number], _SOFT, title)
        image.paste(panel, (left, _TITLE))
    top = _TITLE + _SIDE + _GAP
    draw.text((_GAP, top), _fitted(draw, caption, text), _INK, text)
    draw.text((_GAP, top + _LINE), _fitted(draw, below, title), _SOFT, title)
    return image


def _fitted(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """`text`, its beginning left out if it is too long: the end of a path says more."""
    room = _WIDTH - 2 * _GAP
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(f"… {text}", font) > room:
        text = text[1:]
    return f"… {text}"
