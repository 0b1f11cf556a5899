"""Pictures that are in Fashion-MNIST form already: light garment on black, 28×28."""

from __future__ import annotations

from fmnist_cli.contract import SIDE
from fmnist_cli.prepare.picture import Frame, Picture, resize
from fmnist_cli.prepare.preparation import Isolate


def is_frame(picture: Picture) -> bool:
    """Whether the picture is grey and 28×28."""
    return picture.colorless and picture.grey.shape == (SIDE, SIDE)


def prepare_frame(picture: Picture, isolate: Isolate | None = None) -> Frame:
    """The grey pixels: bit for bit when 28×28, else resized without keeping the aspect."""
    del isolate  # there is nothing around the garment
    if picture.grey.shape == (SIDE, SIDE):
        return picture.grey
    return resize(picture.grey, SIDE, SIDE)
