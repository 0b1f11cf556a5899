"""Items → frames: read, decode, prepare. The unit of work where no model is asked yet."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from fmnist_cli.contract import SIDE
from fmnist_cli.errors import ImageError
from fmnist_cli.prepare import Frame, Isolate
from fmnist_cli.runtime.decode import MAX_PIXELS
from fmnist_cli.runtime.framing import Framing
from fmnist_cli.runtime.pool import Engine, default_engine, ordered_map
from fmnist_cli.runtime.rows import Rejected
from fmnist_cli.runtime.sources.base import MAX_BYTES, Item, Source


class Prepared(NamedTuple):
    """A picture as the models see it.

    Attributes:
        path: stable name.
        content: the 784 bytes of its frame, then those of its other views, if any.
        prepared: the preparation that made it.
    """

    path: str
    content: bytes
    prepared: str

    def frame(self) -> Frame:
        """uint8 [28, 28]."""
        return np.frombuffer(self.content, np.uint8, SIDE * SIDE).reshape(SIDE, SIDE)


class Framer:
    """Callable: items → `Prepared` or `Rejected` of each, in order.

    Args:
        mode: one of `fmnist_cli.prepare.MODES`.
        isolate: finds garments in photos.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
        views: frames of each picture: its own, and those of it varied (`fmnist_cli.prepare.vary`)
            by a generator that its path seeds.
    """

    def __init__(
        self,
        mode: str,
        isolate: Isolate | None = None,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        *,
        views: int = 1,
    ) -> None:
        self._framing = Framing(mode, isolate, max_pixels, max_bytes)
        self._more = views - 1

    def __call__(self, items: Sequence[Item]) -> list[Prepared | Rejected]:
        """One result per item."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Prepared | Rejected:
        seed = zlib.crc32(item.path.encode("utf-8", "surrogateescape"))
        try:
            name, frames = self._framing.views(item, self._more, seed)
        except ImageError as error:
            return Rejected(item.path, str(error))
        return Prepared(item.path, b"".join(frame.tobytes() for frame in frames), name)

    def lost(self, item: Item, end: str) -> list[Prepared | Rejected]:
        """The result for an item that ended its process."""
        return [Rejected(item.path, f"the decoder crashed on it ({end})")]


def frames_of(
    source: Source,
    framer: Framer,
    *,
    workers: int,
    engine: Engine | None = None,
    advance: Callable[[int], object] = lambda _count: None,
) -> list[Prepared | Rejected]:
    """All of a source, in its order, by the pool of workers that ``classify`` uses."""
    results: list[Prepared | Rejected] = []
    chunks = ordered_map(
        framer,
        iter(source),
        lost=framer.lost,
        workers=workers,
        engine=engine or default_engine(),
    )
    with closing(chunks):
        for chunk in chunks:
            results += chunk
            advance(len(chunk))
    return results
