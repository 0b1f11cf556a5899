"""Items → what a model sees: read, decode, prepare. The unit of work where none is asked yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.decode import MAX_PIXELS
from fmnist_cli.engines.pool import Engine, default_engine, ordered_map
from fmnist_cli.errors import ImageError
from fmnist_cli.preprocess.framing import Framing
from fmnist_cli.rows import Rejected
from fmnist_cli.sources.base import MAX_BYTES, Item, Source


class Prepared(NamedTuple):
    """A picture as a model sees it.

    Attributes:
        path: stable name.
        pixels: uint8 of the shape that the model's spec says.
        prepared: the preparation that made them.
    """

    path: str
    pixels: Pixels
    prepared: str


class Framer:
    """Callable: items → `Prepared` or `Rejected` of each, in order.

    Args:
        spec: what the model wants.
        mode: one of `fmnist_cli.preprocess.MODES`.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
    """

    def __init__(
        self,
        spec: InputSpec,
        mode: str = "auto",
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._framing = Framing(spec, mode=mode, max_pixels=max_pixels, max_bytes=max_bytes)

    def __call__(self, items: Sequence[Item]) -> list[Prepared | Rejected]:
        """One result per item."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Prepared | Rejected:
        try:
            return Prepared(item.path, *self._framing(item))
        except ImageError as error:
            return Rejected(item.path, str(error))

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
