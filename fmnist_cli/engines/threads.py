"""Threads of this process: for other people's programs, and for models on a device."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fmnist_cli.engines import Chunker, Worker, weight
from fmnist_cli.sources.items import Item

R = TypeVar("R")


def threads(worker: Worker[R], chunker: Chunker, workers: int) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.Engine`. A crash of a decoder written in C ends the program."""

    def timed(chunk: list[Item]) -> tuple[R, int, float]:
        started = time.perf_counter()
        return worker(chunk), len(chunk), time.perf_counter() - started

    pending: deque[tuple[int, Future[tuple[R, int, float]]]] = deque()  # with its weight
    executor = ThreadPoolExecutor(workers, thread_name_prefix="classify")
    try:
        while True:
            while sum(one for one, _ in pending) < 2 * workers and (chunk := chunker.take()):
                pending.append((weight(chunk), executor.submit(timed, chunk)))
            if not pending:
                return
            result, count, seconds = pending.popleft()[1].result()
            chunker.learn(count, seconds / workers)
            yield result
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
