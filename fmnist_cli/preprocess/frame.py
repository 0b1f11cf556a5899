"""Pictures that are in the form of the data set already: light garment on black, of its size."""

from __future__ import annotations

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.decode.picture import Picture, resize


def is_frame(picture: Picture, spec: InputSpec) -> bool:
    """Whether the picture is grey and just as large as the model's input."""
    size = spec.height, spec.width
    return picture.colorless and picture.full is None and picture.grey.shape == size


def prepare_frame(picture: Picture, spec: InputSpec) -> Pixels:
    """The grey pixels: bit for bit at the model's size, else resized without keeping the aspect."""
    if picture.grey.shape == (spec.height, spec.width):
        return picture.grey
    return resize(picture.grey, spec.width, spec.height)


def spare_of_frame(width: int, height: int, spec: InputSpec) -> float:
    """At twice the side, averaging still has at least four pixels for each of the frame's."""
    return min(width, height) / (2 * max(spec.height, spec.width))
