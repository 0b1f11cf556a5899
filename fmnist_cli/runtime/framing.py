"""Item → frame: read, decode, prepare; what comes before inference, whoever needs it."""

from __future__ import annotations

import cv2
import numpy as np

from fmnist_cli.errors import ImageError
from fmnist_cli.prepare import Frame, Isolate, Picture, needs_color, prepare, reduction, vary
from fmnist_cli.runtime.decode import MAX_PIXELS, decode
from fmnist_cli.runtime.sources.base import MAX_BYTES, Item


class Framing:
    """Callable: item → (frame uint8 [28, 28], name of its preparation).

    Args:
        mode: one of `fmnist_cli.prepare.MODES`.
        isolate: finds garments in photos; needed by the mode ``photo``.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
    """

    def __init__(
        self,
        mode: str = "auto",
        isolate: Isolate | None = None,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._mode = mode
        self._isolate = isolate
        self._max_pixels = max_pixels
        self._max_bytes = max_bytes
        self._reduction, self._color = reduction(mode), needs_color(mode)

    def __call__(self, item: Item) -> tuple[Frame, str]:
        """The frame of an item.

        Raises:
            ImageError: there is none, with the reason.
            ModelError: what isolates garments cannot be loaded.
        """
        _, frame, name = self._framed(item)
        return frame, name

    def views(self, item: Item, others: int, seed: int) -> tuple[str, list[Frame]]:
        """How an item was prepared; its frame, then `others` of it photographed again.

        Only photos are varied: other light would be no plain background, which products have.

        Raises:
            ImageError, ModelError: as above.
        """
        picture, frame, name = self._framed(item)
        if name != "photo":
            return name, [frame] * (1 + others)
        generator = np.random.default_rng(seed)
        try:
            varied = (vary(picture, generator) for _ in range(others))
            return name, [frame, *(self.again(view, name) for view in varied)]
        except (MemoryError, cv2.error) as error:
            raise _cannot_be_prepared(error) from error

    def _framed(self, item: Item) -> tuple[Picture, Frame, str]:
        try:
            picture = self.picture(item.read(self._max_bytes))
            return picture, *prepare(picture, self._mode, self._isolate)
        except (MemoryError, cv2.error) as error:
            # Too large for this machine, or a shape that OpenCV will not resize.
            raise _cannot_be_prepared(error) from error

    def picture(self, content: bytes | Picture) -> Picture:
        """What an item holds, decoded as the mode needs it.

        Raises:
            ImageError: it is no picture, damaged, or too large.
        """
        if isinstance(content, Picture):
            return content
        return decode(
            content, max_pixels=self._max_pixels, reduction=self._reduction, color=self._color
        )

    def again(self, picture: Picture, prepared: str) -> Frame:
        """The frame of a picture whose preparation was chosen before."""
        return prepare(picture, prepared, self._isolate)[0]


def _cannot_be_prepared(error: Exception) -> ImageError:
    return ImageError(f"cannot be prepared: {error or 'out of memory'}")
