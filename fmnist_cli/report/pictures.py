"""Images of the data set for the page, as PNG in data addresses."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import Split
from fmnist_cli.errors import DataError
from fmnist_cli.report.markup import text

COLUMNS = 40


@dataclass(frozen=True, slots=True)
class Pictures:
    """The data set, if it was found.

    Attributes:
        splits: all three, or none.
        reason: why there is none, for the terminal.
    """

    splits: Mapping[str, LabelledImages]
    reason: str = ""

    @classmethod
    def load(cls, data_dir: Path | None) -> Pictures:
        """From `data_dir` or the usual places, where it need not be.

        Raises:
            DataError: it is not in `data_dir`.
        """
        try:
            return cls({name: load_split(name, data_dir) for name in get_args(Split)})
        except DataError as error:
            if data_dir is not None:
                raise
            return cls({}, str(error))

    def at(self, split: str, index: npt.ArrayLike) -> LabelledImages | None:
        """The images at these positions of the official file.

        None where one of them is not in the split, or there is no data set.
        """
        if split not in self.splits:
            return None
        images = self.splits[split]
        wanted = np.asarray(index, dtype=np.intp)
        places = np.arange(len(images)) if images.positions is None else images.positions
        found = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
        if not np.array_equal(places[found], wanted):
            return None
        return LabelledImages(images.pixels[found], images.labels[found], wanted)


def png(image: npt.NDArray[np.uint8]) -> str:
    """A picture, grey [H, W] or BGR [H, W, 3], as a data address."""
    import cv2

    content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    return f"data:image/png;base64,{b64encode(content).decode()}"


def sheet(pixels: Pixels, columns: int = COLUMNS) -> npt.NDArray[np.uint8]:
    """Images uint8 [N, H, W] row by row in one picture, `columns` in a row."""
    count, height, width = pixels.shape
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, height, width), np.uint8)
    tiles[:count] = pixels
    grid = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return grid.reshape(rows * height, columns * width)


def sheet_html(name: str, pixels: Pixels) -> str:
    """A sheet from which page.js cuts single pictures."""
    return f'<img class="sheet" id="sheet-{name}" hidden alt="" src="{png(sheet(pixels))}">\n'


def image_html(image: npt.NDArray[Any], alt: str, kind: str = "tile") -> str:
    """One picture, shown by its pixels."""
    height, width = image.shape[:2]
    return (
        f'<img class="{kind}" src="{png(image)}" width="{width}" height="{height}"'
        f' decoding="async" alt="{text(alt)}">'
    )


def heat_colours(heat: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [H, W] → BGR [H, W, 3] in Viridis, which reads the same without red and green."""
    import cv2

    colours: npt.NDArray[np.uint8] = cv2.applyColorMap(heat, cv2.COLORMAP_VIRIDIS).astype(np.uint8)
    return colours


def overlay(pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture under its heat, half and half, BGR [H, W, 3]."""
    mixed = (pixels[..., None].astype(np.uint16) + heat_colours(heat)) // 2
    return mixed.astype(np.uint8)
