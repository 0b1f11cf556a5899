"""Where workers run: forked or spawned processes, or threads; results in order, memory bounded.

An engine is one file and one entry in `ENGINES`. All give the same results in the same order.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from importlib import import_module
from typing import Protocol, TypeVar, cast

from fmnist_cli.errors import DEBUG, FmnistError
from fmnist_cli.sources.items import Item
from fmnist_cli.sources.objects import RemoteItem

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

FIRST = 16  # items in the first chunk: the first rows should not wait for a full one
SMALLEST = 16  # of the chunks at the end
LARGEST = 512
CHUNK_SECONDS = 0.03  # handing over a chunk has its price; it should be rare
CHUNK_BYTES = 8 * 1024 * 1024  # content that travels with the items of one chunk
TIMEOUT = 60.0  # seconds that one picture may take
UNEXPECTED = "unexpected error, please report it"  # begins the reason for what is our fault


class Worker(Protocol[R_co]):
    """What is done with items: a picklable value, so that it can be built anywhere.

    Several processes or threads call it at once.
    """

    def __call__(self, items: Sequence[Item], /) -> R_co:
        """The result for a chunk, of at least one item."""

    def warm(self) -> object:
        """What a process does before its first chunk."""

    def lost(self, item: Item, reason: str) -> R_co:
        """The result for an item that crashed its process, took too long, or raised."""


class Engine(Protocol):
    """Runs a worker over the chunks of a `Chunker`; results in the order of the chunks."""

    def __call__(
        self, worker: Worker[R], chunker: Chunker, workers: int, timeout: float
    ) -> Generator[R, None, None]:
        """Results, one for each chunk, or for each item of a chunk that was done again."""


def attempt(worker: Worker[R], chunk: Sequence[Item]) -> list[R]:
    """The result for a chunk; after an exception that nobody expected, one for each of its items.

    Raises:
        FmnistError: it is no matter of a picture.
    """
    try:
        return [worker(chunk)]
    except FmnistError:
        raise
    except Exception as error:
        if len(chunk) == 1:
            if os.environ.get(DEBUG):
                import traceback

                traceback.print_exc()
            unexpected = f"{UNEXPECTED}: {type(error).__name__}: {error}"
            reason = "out of memory" if isinstance(error, MemoryError) else unexpected
            return [worker.lost(chunk[0], reason)]
    return [result for item in chunk for result in attempt(worker, [item])]


def fetching(chunk: list[Item]) -> Callable[[], list[Item]]:
    """Begin to fetch what is remote in a chunk, if anything is; the result gives the chunk.

    So objects come while others are worked on, and waiting for them does not count as work.
    """
    if RemoteItem not in map(type, chunk):
        return lambda: chunk
    from fmnist_cli.sources.remote import fetching as begin

    return begin(chunk)


# Name → module and function, loaded when the engine is needed: most pictures need none.
ENGINES = {
    "fork": ("fmnist_cli.engines.processes", "fork"),
    "spawn": ("fmnist_cli.engines.processes", "spawn"),
    "threads": ("fmnist_cli.engines.threads", "threads"),
}


def default_engine() -> str:
    """Processes; forked where that is safe, so that they share the memory of the model.

    Small pictures need processes: their decoding enters and leaves the interpreter lock so often
    that two threads together are slower than one (44 against 29 µs per picture, measured).
    """
    return "fork" if sys.platform == "linux" else "spawn"


def weight(chunk: Sequence[Item]) -> int:
    """As how many of the chunks in flight it counts, by the content that travels with it."""
    return 1 + sum([item.held for item in chunk]) // CHUNK_BYTES


class Chunker:
    """Cuts a stream of items into chunks of about `CHUNK_SECONDS` of work.

    So fast models get large chunks and large pictures small ones without anybody choosing.
    The last chunks are ever smaller, so that all workers end at the same time. With a fixed
    `size` every chunk has that many items. Content that travels is bounded in any case.
    """

    def __init__(self, items: Iterable[Item], size: int | None = None, workers: int = 1) -> None:
        self._items = iter(items)
        self._fixed = size is not None
        self._size = size or FIRST
        self._workers = workers
        self._ready: deque[list[Item]] = deque()
        self._next: deque[Item] = deque()  # enough to see the end coming
        self._held = 0
        self._ended = False

    def take(self) -> list[Item]:
        """The next chunk; empty at the end."""
        if self._ready:
            return self._ready.popleft()
        self._look_ahead()
        size = self._size
        if self._ended and not self._fixed:
            share = -(-len(self._next) // (2 * self._workers))
            size = min(size, max(share, SMALLEST))
        chunk: list[Item] = []
        held = 0
        while self._next and len(chunk) < size and held < CHUNK_BYTES:
            item = self._next.popleft()
            held += item.held
            chunk.append(item)
        self._held -= held
        return chunk

    def only_chunk(self) -> list[Item] | None:
        """The first chunk if there is no second, which is known to nobody before; else None."""
        first = self.take()
        second = self.take() if first else []
        if not second:
            return first
        self._ready.extend((first, second))
        return None

    def put_back(self, chunks: Iterable[list[Item]]) -> None:
        """Let `take` give these chunks before all others."""
        self._ready.extendleft(reversed([*chunks]))

    def _look_ahead(self) -> None:
        wanted = self._size if self._fixed else 2 * self._workers * self._size
        missing = wanted - len(self._next)
        if self._ended or missing <= 0 or self._held >= CHUNK_BYTES:
            return
        patience = time.monotonic() + CHUNK_SECONDS  # of a list that somebody is still writing
        for item in self._items:
            self._next.append(item)
            self._held += item.held
            missing -= 1
            if missing <= 0 or self._held >= CHUNK_BYTES or time.monotonic() > patience:
                return
        self._ended = True

    def learn(self, count: int, seconds: float) -> None:
        """Take note of how long a chunk of `count` items took."""
        if not self._fixed:
            fitting = int(count * CHUNK_SECONDS / max(seconds, 1e-6))
            self._size = max(1, min(fitting, 2 * self._size, LARGEST))


def ordered_map(
    worker: Worker[R],
    items: Iterable[Item],
    *,
    workers: int,
    batch_size: int | None = None,
    engine: str = "threads",
    many: bool = False,
    timeout: float = TIMEOUT,
    early: bool = False,
) -> Generator[R, None, None]:
    """`worker` over chunks of `items`, results in the order of the items.

    A single chunk needs one worker. If its pictures need no decoding, which is what can crash, it
    is done here and now.

    Args:
        worker: what is done.
        items: taken up lazily, a few chunks ahead.
        workers: processes or threads.
        batch_size: items per chunk; None to let their cost decide.
        engine: one of `ENGINES`.
        many: whether more than a chunk is expected, so that forked processes may start, and get
            warm, while the first items are looked for.
        timeout: seconds that an item may take in a process; one that takes longer is lost.
        early: whether this process may crash: see `fmnist_cli.engines.early`.
    """
    chunker = Chunker(items, batch_size, workers)
    if not (engine == "fork" and many and workers > 1):
        only = chunker.only_chunk()
        if only is not None:
            if early and only:
                from fmnist_cli.engines.early import early as run_early

                yield from run_early(worker, only, timeout)
                return
            if all(map(_is_decoded, only)):
                if only:
                    yield from attempt(worker, only)
                return
            workers = 1
            chunker.put_back([only])
    module, name = ENGINES[engine]
    run = cast("Engine", getattr(import_module(module), name))
    yield from run(worker, chunker, workers, timeout)


def _is_decoded(item: Item) -> bool:
    return not isinstance(getattr(item, "content", b""), bytes)
