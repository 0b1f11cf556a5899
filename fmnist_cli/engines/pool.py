"""Work in several processes or threads: results in order, memory bounded.

Small pictures need processes: their decoding enters and leaves the interpreter lock so
often that two threads together are slower than one (44 against 29 µs per picture, measured).
Processes are forked, so that the model is loaded once and its memory shared; where that is
not safe (other systems than Linux, programs of which we are only a part), threads do it.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Literal, TypeVar

from fmnist_cli.sources.base import Item

if TYPE_CHECKING:
    from concurrent.futures import Future

R = TypeVar("R")
Engine = Literal["processes", "threads"]

FIRST = 16  # items in the first chunk: the first rows should not wait for a full one
SMALLEST = 16  # of the chunks at the end
LARGEST = 512
CHUNK_SECONDS = 0.03  # handing over a chunk has its price; it should be rare
CHUNK_BYTES = 8 * 1024 * 1024  # content that travels with the items of one chunk


def default_engine() -> Engine:
    """Processes where forking is safe."""
    return "processes" if sys.platform == "linux" else "threads"


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
        self._next: deque[Item] = deque()  # enough to see the end coming
        self._held = 0
        self._ended = False

    def take(self) -> list[Item]:
        """The next chunk; empty at the end."""
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
    work: Callable[[list[Item]], R],
    items: Iterable[Item],
    *,
    lost: Callable[[Item, str], R],
    workers: int,
    batch_size: int | None = None,
    engine: Engine = "threads",
    many: bool = False,
    warm: Callable[[], object] | None = None,
) -> Generator[R, None, None]:
    """`work` over chunks of `items`, results in the order of the items.

    What fits one chunk is done here and now, without any worker.

    Args:
        work: called in several workers at once, with at least one item.
        items: taken up lazily, a few chunks ahead.
        lost: the result for an item whose processing ended the process, and how it ended.
        workers: processes or threads.
        batch_size: items per chunk; None to let their cost decide.
        engine: what the workers are.
        many: whether more than a chunk is expected, so that processes may start, and get
            warm, while the first items are looked for.
        warm: what a process does first.
    """
    chunker = Chunker(items, batch_size, workers)
    if engine == "processes" and many and workers > 1:
        yield from _in_processes(work, chunker.take, chunker, lost, workers, warm)
        return
    first = chunker.take()
    second = chunker.take() if first else []
    if not second:
        if first:
            yield work(first)
        return
    ready = deque([first, second])

    def take() -> list[Item]:
        return ready.popleft() if ready else chunker.take()

    if engine == "processes":
        yield from _in_processes(work, take, chunker, lost, workers, warm)
    else:
        yield from _in_threads(work, take, chunker.learn, workers)


def _in_processes(
    work: Callable[[list[Item]], R],
    take: Callable[[], list[Item]],
    chunker: Chunker,
    lost: Callable[[Item, str], R],
    workers: int,
    warm: Callable[[], object] | None,
) -> Generator[R, None, None]:
    # Not needed, and not possible everywhere, before this point.
    from fmnist_cli.engines.processes import in_processes

    yield from in_processes(work, take, chunker.learn, lost, workers, warm)


def _in_threads(
    work: Callable[[list[Item]], R],
    take: Callable[[], list[Item]],
    learn: Callable[[int, float], None],
    workers: int,
) -> Generator[R, None, None]:
    from concurrent.futures import ThreadPoolExecutor

    def timed(chunk: list[Item]) -> tuple[R, int, float]:
        started = time.perf_counter()
        return work(chunk), len(chunk), time.perf_counter() - started

    pending: deque[Future[tuple[R, int, float]]] = deque()
    executor = ThreadPoolExecutor(workers, thread_name_prefix="classify")
    try:
        while True:
            while len(pending) < 2 * workers and (chunk := take()):
                pending.append(executor.submit(timed, chunk))
            if not pending:
                return
            result, count, seconds = pending.popleft().result()
            learn(count, seconds / workers)
            yield result
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
