"""Threads of this process: for other people's programs, and for models on a device."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fmnist_cli.engines import Chunker, Worker, attempt, fetching, weight
from fmnist_cli.sources.items import Item

R = TypeVar("R")


def threads(
    worker: Worker[R], chunker: Chunker, workers: int, timeout: float
) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.Engine`; nothing can end a thread.

    So a crash of a decoder written in C ends the program, and there is no time limit.
    """
    del timeout

    def timed(ready: Callable[[], list[Item]]) -> tuple[list[R], int, float]:
        chunk = ready()
        started = time.perf_counter()
        return attempt(worker, chunk), len(chunk), time.perf_counter() - started

    pending: deque[tuple[int, Future[tuple[list[R], int, float]]]] = deque()  # with its weight
    executor = ThreadPoolExecutor(workers, thread_name_prefix="classify")
    try:
        while True:
            while sum(one for one, _ in pending) < 2 * workers and (chunk := chunker.take()):
                pending.append((weight(chunk), executor.submit(timed, fetching(chunk))))
            if not pending:
                return
            results, count, seconds = pending.popleft()[1].result()
            chunker.learn(count, seconds / workers)
            yield from results
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
