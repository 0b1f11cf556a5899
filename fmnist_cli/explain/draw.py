"""Pictures for people: the triptych original, heat map, overlay."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from fmnist_cli.album.draw import Color, in_color, panels
from fmnist_cli.contract import Pixels
from fmnist_cli.explain.explanation import Heat

_PANELS = ("as the model sees it", "heat map", "both")
_STRENGTH = 0.8  # of the colour where the evidence is greatest


def colored(heat: Heat) -> Color:
    """uint8 [H, W] → RGB [H, W, 3] by viridis: even steps for every eye, a colour-blind one too."""
    return np.asarray(
        cv2.cvtColor(cv2.applyColorMap(heat, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8
    )


def shown(pixels: Pixels) -> Color:
    """A picture as the model sees it, uint8 [H, W] or [H, W, 3], as RGB [H, W, 3]."""
    return in_color(pixels) if pixels.ndim == 2 else pixels


def overlaid(pixels: Pixels, heat: Heat) -> Color:
    """The picture, coloured the more the greater the evidence: RGB [H, W, 3]."""
    share = _STRENGTH * heat[..., None].astype(np.float32) / 255
    return np.rint((1 - share) * shown(pixels) + share * colored(heat)).astype(np.uint8)


def triptych(pixels: Pixels, heat: Heat, caption: str, below: str) -> Image.Image:
    """The three pictures side by side, with two lines below; frames with sharp pixels."""
    parts = shown(pixels), colored(heat), overlaid(pixels, heat)
    return panels(list(zip(_PANELS, parts, strict=True)), caption, below)
