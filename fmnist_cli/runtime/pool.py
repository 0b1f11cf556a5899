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
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeVar

from fmnist_cli.runtime.sources.base import Item

R = TypeVar("R")
Engine = Literal["processes", "threads"]

FIRST = 16  # items in the first chunk: the first rows should not wait for a full one
LARGEST = 256
CHUNK_SECONDS = 0.015  # enough work to hide the hand-over, little to wait for at the end
CHUNK_BYTES = 8 * 1024 * 1024  # content that travels with the items of one chunk


def default_engine() -> Engine:
    """Processes where forking is safe."""
    return "processes" if sys.platform == "linux" else "threads"


class Chunker:
    """Cuts a stream of items into chunks of about `CHUNK_SECONDS` of work.

    So fast models get large batches and large pictures small ones without anybody choosing.
    With a fixed `size` every chunk has that many items. Content that travels is bounded too.
    """

    def __init__(self, items: Iterable[Item], size: int | None = None) -> None:
        self._items = iter(items)
        self._fixed = size is not None
        self._size = size or FIRST

    def take(self) -> list[Item]:
        """The next chunk; empty at the end."""
        chunk: list[Item] = []
        held = 0
        for item in self._items:
            chunk.append(item)
            held += item.held
            if len(chunk) >= self._size or held >= CHUNK_BYTES:
                break
        return chunk

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
    """
    chunker = Chunker(items, batch_size)
    first = chunker.take()
    if not first:
        return
    second = chunker.take()
    if not second:
        yield work(first)
        return
    ready = deque([first, second])

    def take() -> list[Item]:
        return ready.popleft() if ready else chunker.take()

    if engine == "processes":
        # Not needed, and not possible everywhere, before this point.
        from fmnist_cli.runtime.processes import in_processes

        yield from in_processes(work, take, chunker.learn, lost, workers)
    else:
        yield from _in_threads(work, take, chunker.learn, workers)


def _in_threads(
    work: Callable[[list[Item]], R],
    take: Callable[[], list[Item]],
    learn: Callable[[int, float], None],
    workers: int,
) -> Generator[R, None, None]:
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
