"""Items → rows: read, decode, prepare, infer. The unit of work of a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import SIDE, Novelty, Pixels, Probabilities
from fmnist_cli.errors import ImageError
from fmnist_cli.prepare.picture import Frame, Picture
from fmnist_cli.prepare.preparation import Isolate
from fmnist_cli.runtime.decode import MAX_PIXELS
from fmnist_cli.runtime.framing import Framing
from fmnist_cli.runtime.rows import UNKNOWN, Candidate, Prediction, Rejected, Row
from fmnist_cli.runtime.sources.base import MAX_BYTES, Item

Infer = Callable[[Pixels], Probabilities]  # uint8 [N, 28, 28] → float32 [N, classes]

# Batches are filled up to a multiple of this: kernels have code of its own for a last single
# row, which rounds its own way, and a row must not depend on what else is in its batch.
ALIGNMENT = 2
BATCH = 64  # pictures per inference call; for no model do more gain anything


def _aligned(count: int) -> int:
    """`count`, filled up to a multiple of `ALIGNMENT`."""
    return -(-count // ALIGNMENT) * ALIGNMENT


class Guard(Protocol):
    """Says how strange frames are, and from where on they are unknown."""

    def novelty(self, pixels: Pixels) -> Novelty:
        """uint8 [N, 28, 28] → float32 [N], larger is stranger."""

    def limit(self, prepared: str) -> float:
        """The novelty above which what this preparation made is unknown."""


class Settings(NamedTuple):
    """How pictures become rows.

    Attributes:
        mode: one of `fmnist_cli.prepare.MODES`.
        top_k: candidates per row, at least 1.
        threshold: below this probability, 0 to 1, the label is `UNKNOWN`.
        unknown_at: `UNKNOWN` is also what is stranger than this share of known garments;
            None asks no guard.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
    """

    mode: str = "auto"
    top_k: int = 3
    threshold: float = 0.0
    unknown_at: float | None = None
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES


class KnownItem(NamedTuple):
    """An item whose row is there already; it is passed through."""

    item: Item
    row: Row
    held: int = 0

    @property
    def path(self) -> str:
        """Name of the item."""
        return self.item.path

    @property
    def location(self) -> str | None:
        """File of the item."""
        return self.item.location

    def read(self, max_bytes: int = MAX_BYTES) -> bytes | Picture:
        """Content of the item."""
        return self.item.read(max_bytes)

    def head(self) -> bytes:
        """First bytes of the item."""
        return self.item.head()

    def signature(self) -> str:
        """Signature of the item."""
        return self.item.signature()


_new: Any = tuple.__new__


class Classifier:
    """Callable: items → one row each, in order. Usable from several threads.

    Args:
        infer: uint8 [N, 28, 28] → float32 [N, classes].
        class_names: label of each column.
        settings: how pictures become rows.
        batch_size: pictures per inference call.
        isolate: finds garments in photos; needed by the mode ``photo``.
        guard: tells what the model does not know, whatever it says of it.
        save: takes the path of each item that could be read, and its frame.
    """

    def __init__(
        self,
        infer: Infer,
        class_names: Sequence[str],
        settings: Settings,
        batch_size: int = BATCH,
        isolate: Isolate | None = None,
        guard: Guard | None = None,
        save: Callable[[str, Frame], object] | None = None,
    ) -> None:
        self._batch_size = batch_size
        self._infer = infer
        self._class_names = class_names
        self._settings = settings
        self._frame_of = Framing(settings.mode, isolate, settings.max_pixels, settings.max_bytes)
        self._save = save
        self._guard = guard
        self._buffers = threading.local()  # one buffer per thread, kept from batch to batch

    def warm(self) -> None:
        """Let the model allocate what it needs, before there is anything to classify."""
        nothing = np.zeros((ALIGNMENT, SIDE, SIDE), np.uint8)
        self._infer(nothing)
        if self._guard is not None:
            self._guard.novelty(nothing)

    def __call__(self, items: Sequence[Item]) -> list[Row]:
        """One row per item, in order."""
        frame_of, save = self._frame_of, self._save
        rows: list[Row | None] = [None] * len(items)
        frames = self._buffer(len(items))
        good: list[tuple[int, str]] = []  # position among the items, preparation
        # All are decoded before any is classified, since inference goes in batches.
        for position, item in enumerate(items):
            if type(item) is KnownItem:
                rows[position] = item.row
                continue
            try:
                frames[len(good)], prepared = frame_of(item)
            except ImageError as error:
                rows[position] = Rejected(item.path, str(error))
            else:
                if save is not None:
                    save(item.path, frames[len(good)])
                good.append((position, prepared))
        if good:
            names, threshold = self._class_names, self._settings.threshold
            ids, values = self._ranked(frames, len(good))
            judged = zip(good, ids, values, self._strangers(frames, good), strict=True)
            for (position, prepared), best, most, strange in judged:
                path, class_id, confidence = items[position].path, best[0], most[0]
                # Not Candidate(…) and Prediction(…): calling a named tuple's class costs
                # more than the rest of these lines, for every picture.
                top = tuple([_new(Candidate, (names[i], p)) for i, p in zip(best, most)])  # noqa: B905
                unsure = strange or confidence < threshold
                said = (None, UNKNOWN) if unsure else (class_id, names[class_id])
                rows[position] = _new(Prediction, (path, *said, confidence, top, prepared))
        return [row for row in rows if row is not None]

    def _buffer(self, count: int) -> Pixels:
        """uint8 [at least `count`, 28, 28], a multiple of `ALIGNMENT` long."""
        buffer: Pixels | None = getattr(self._buffers, "frames", None)
        if buffer is None or len(buffer) < count:
            buffer = self._buffers.frames = np.zeros((_aligned(count), SIDE, SIDE), np.uint8)
        return buffer

    def _ranked(self, frames: Pixels, count: int) -> tuple[list[list[int]], list[list[float]]]:
        """For each of the first `count` frames the best classes and their probabilities."""
        probabilities = self._batched(self._infer, frames, count)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, : self._settings.top_k]
        best = probabilities[np.arange(count)[:, None], order].astype(np.float64).round(6)
        return order.tolist(), best.tolist()

    def _strangers(self, frames: Pixels, good: Sequence[tuple[int, str]]) -> Sequence[bool]:
        """Whether each of the first frames is strange; `good` says what prepared them."""
        guard = self._guard
        if guard is None:
            return [False] * len(good)
        novelty = self._batched(guard.novelty, frames, len(good)).tolist()
        return [value > guard.limit(name) for value, (_, name) in zip(novelty, good, strict=True)]

    def _batched(
        self, run: Callable[[Pixels], npt.NDArray[Any]], frames: Pixels, count: int
    ) -> npt.NDArray[Any]:
        """What `run` says of the first `count` frames, in batches of an even length."""
        frames[count : _aligned(count)] = 0
        step = _aligned(self._batch_size)
        batches = [
            run(frames[start : min(start + step, _aligned(count))])
            for start in range(0, count, step)
        ]
        joined: npt.NDArray[Any] = np.concatenate(batches)[:count]
        return joined
