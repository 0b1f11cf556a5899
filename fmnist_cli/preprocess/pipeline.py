"""Items → what a model sees: read, decode, preprocess."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import cv2

from fmnist_cli.contract import InputSpec, Picture, Pixels, Rejected
from fmnist_cli.decode import MAX_PIXELS, MEMORY, decode
from fmnist_cli.decode.header import check_size
from fmnist_cli.decode.picture import BLANK, is_blank
from fmnist_cli.engines import default_engine, ordered_map
from fmnist_cli.errors import ImageError
from fmnist_cli.preprocess import PREPARATIONS, needs_color, preprocess, reduction
from fmnist_cli.preprocess.resize import resize
from fmnist_cli.sources.items import MAX_BYTES, Item


class Framing:
    """Callable: item → (what a model sees of it, name of its preparation).

    Args:
        specs: what the models want that may be asked; pictures are decoded for all of them.
        mode: ``"auto"`` for what the specs say, or a name in `fmnist_cli.preprocess.PREPARATIONS`.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
        memory: bytes that a picture may take.
    """

    def __init__(
        self,
        *specs: InputSpec,
        mode: str = "auto",
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        memory: int = MEMORY,
    ) -> None:
        self._specs = specs
        self._mode = mode
        self._max_pixels = max_pixels
        self._max_bytes = max_bytes
        self._memory = memory
        self._reductions = [reduction(spec, mode) for spec in specs]
        self._color = any(needs_color(spec, mode) for spec in specs)

    def __call__(self, item: Item) -> tuple[Pixels, str]:
        """What the first of the models sees of an item.

        Raises:
            ImageError: there is nothing to see, with the reason.
        """
        return self.pixels(self.read(item), self._specs[0])

    def read(self, item: Item) -> Picture:
        """The picture of an item.

        Raises:
            ImageError: it cannot be read, is no picture, damaged, or too large.
        """
        try:
            return self.picture(item.read(self._max_bytes))
        except (MemoryError, cv2.error) as error:
            raise _unprepared(error) from error

    def picture(self, content: bytes | Picture) -> Picture:
        """What an item holds, decoded as the models need it.

        Raises:
            ImageError: it is no picture, damaged, or too large.
        """
        if isinstance(content, Picture):
            height, width = content.grey.shape
            check_size(width, height, self._max_pixels)
            return content
        return decode(
            content,
            max_pixels=self._max_pixels,
            reduction=self._reduction,
            color=self._color,
            memory=self._memory,
        )

    def pixels(
        self, picture: Picture, spec: InputSpec, prepared: str | None = None, look: bool = True
    ) -> tuple[Pixels, str]:
        """What one of the models sees of a picture, and the name of the preparation.

        Args:
            picture: as `picture` made it.
            spec: what the model wants.
            prepared: the preparation, if it was chosen before.
            look: whether blank ones are told; if not, `blank_among` has to tell them, but for
                preparations that say where the picture is.

        Raises:
            ImageError: the picture cannot be prepared, or nothing can be seen in it.
        """
        try:
            pixels, name = preprocess(picture, spec, prepared or self._mode)
            within = PREPARATIONS[name].within
            if within is None and not look:
                return pixels, name
            blank = is_blank(pixels if within is None else pixels[within(picture, spec)])
        except (MemoryError, cv2.error) as error:
            raise _unprepared(error) from error
        if blank:
            raise ImageError(BLANK)
        return pixels, name

    def beside(
        self, item: Item, spec: InputSpec, side: int, prepared: str | None = None
    ) -> tuple[Pixels, str, Pixels]:
        """As `pixels` for an item, and then its original, uint8 [H, W, 3] or [H, W], small.

        Args:
            item: the picture.
            spec: what the model wants.
            side: pixels that the longest edge of the original may have.
            prepared: the preparation, if it was chosen before.

        Raises:
            ImageError: as `read` and `pixels`.
        """
        try:
            content = item.read(self._max_bytes)
            picture = self.picture(content)
        except (MemoryError, cv2.error) as error:
            raise _unprepared(error) from error
        pixels, name = self.pixels(picture, spec, prepared)
        try:
            # Decoded anew where the model wanted no colour, or less than is shown.
            grey = picture.color is None and not picture.colorless
            small = picture.full is not None and max(picture.grey.shape) < side
            if isinstance(content, bytes) and (grey or small):
                fitting = reduction(InputSpec(side, side, "rgb", "letterbox"))
                picture = decode(
                    content, max_pixels=self._max_pixels, reduction=fitting, color=True
                )
            known = picture.grey if picture.color is None else picture.color
            original = fitted(known, side, picture.full)
        except (MemoryError, cv2.error) as error:
            raise ImageError(f"cannot be shown: {error or 'out of memory'}") from error
        return pixels, name, original

    def _reduction(self, width: int, height: int) -> int:
        return min([allowed(width, height) for allowed in self._reductions])


def _unprepared(error: Exception) -> ImageError:
    """The picture is too large for this machine, or of a shape that OpenCV will not resize."""
    return ImageError(f"cannot be prepared: {error or 'out of memory'}")


def fitted(pixels: Pixels, side: int, full: tuple[int, int] | None = None) -> Pixels:
    """`pixels`, in the proportions of `full`, at most `side` on the longest edge."""
    height, width = full or pixels.shape[:2]
    scale = min(1, side / max(height, width))
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))


class Prepared(NamedTuple):
    """A picture as a model sees it.

    Attributes:
        path: stable name.
        pixels: uint8 of the shape that the model's spec says.
        prepared: the preparation that made them.
        original: uint8 [H, W, 3], RGB, or [H, W], upright and small; None if not asked for.
    """

    path: str
    pixels: Pixels
    prepared: str
    original: Pixels | None = None


class Framer:
    """Callable: items → `Prepared` or `Rejected` of each, in order; a worker.

    Args:
        spec: what the model wants.
        mode: one of `fmnist_cli.preprocess.MODES`.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
        side: longest edge of the originals that are kept, pixels; 0 for none.
    """

    def __init__(
        self,
        spec: InputSpec,
        mode: str = "auto",
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        side: int = 0,
    ) -> None:
        self._framing = Framing(spec, mode=mode, max_pixels=max_pixels, max_bytes=max_bytes)
        self._spec, self._side = spec, side
        self._built_of = spec, mode, max_pixels, max_bytes, side

    def __call__(self, items: Sequence[Item]) -> list[Prepared | Rejected]:
        """One result per item."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Prepared | Rejected:
        try:
            if self._side:
                return Prepared(item.path, *self._framing.beside(item, self._spec, self._side))
            return Prepared(item.path, *self._framing(item))
        except ImageError as error:
            return Rejected(item.path, str(error))

    def __reduce__(self) -> tuple[Any, ...]:
        """Built again in another process."""
        return Framer, self._built_of

    def warm(self) -> None:
        """Nothing is to be warmed."""

    def lost(self, item: Item, reason: str) -> list[Prepared | Rejected]:
        """The result for an item that could not be worked on to the end."""
        return [Rejected(item.path, reason)]


def frames_of(
    source: Iterable[Item],
    framer: Framer,
    *,
    workers: int,
    engine: str | None = None,
    advance: Callable[[int], object] = lambda _count: None,
) -> list[Prepared | Rejected]:
    """All items of a source, in its order, by the workers that ``classify`` uses."""
    results: list[Prepared | Rejected] = []
    chunks = ordered_map(
        framer,
        source,
        workers=workers,
        engine=engine or default_engine(),
    )
    with closing(chunks):
        for chunk in chunks:
            results += chunk
            advance(len(chunk))
    return results
