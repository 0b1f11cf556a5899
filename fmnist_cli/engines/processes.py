"""Forked worker processes that survive the death of one of them.

A damaged picture can crash a decoder written in C. The items of the chunk it was in are then
done again one by one in a new process, so that only the guilty one is lost, and says so.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import queue
import signal
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from fmnist_cli.errors import FmnistError
from fmnist_cli.sources.base import Item

R = TypeVar("R")

AHEAD = 2  # chunks a worker has at a time: one in work, one waiting
WINDOW = 4  # chunks per worker that are taken up, but not yet handed on in their order
DEATHS = 20  # of processes; more than that, and than a part of all items, is no matter of pictures


@dataclass(slots=True, eq=False)
class _Slot(Generic[R]):
    """A chunk on its way; slots stand in the order of the items."""

    chunk: list[Item]
    result: R | None = None
    done: bool = False


@dataclass(slots=True, eq=False)
class _Worker(Generic[R]):
    process: BaseProcess
    connection: Connection
    slots: deque[_Slot[R]] = field(default_factory=deque)


def _serve(
    connection: Connection,
    work: Callable[[list[Item]], Any],
    warm: Callable[[], object] | None,
) -> None:
    """Life of a worker: chunks in, (result, seconds, error) out, until the other end closes."""
    gc.set_threshold(50_000)  # rows hold no cycles; the few in errors can wait
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    chunks: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()

    def receive() -> None:
        # In a thread, so that the parent never blocks on a full pipe while this process
        # blocks on the other one.
        with contextlib.suppress(EOFError, OSError):
            while True:
                chunks.put(connection.recv())
        chunks.put(None)

    threading.Thread(target=receive, daemon=True).start()
    if warm is not None:
        warm()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        while (chunk := chunks.get()) is not None:
            started = time.perf_counter()
            answer: tuple[Any, float, Exception | None]
            try:
                answer = (work(chunk), time.perf_counter() - started, None)
            except FmnistError as error:
                answer = (None, 0.0, error)
            except Exception:
                answer = (
                    None,
                    0.0,
                    RuntimeError(f"in a worker process:\n{traceback.format_exc()}"),
                )
            connection.send(answer)


def _end(process: BaseProcess) -> str:
    """How a process ended, in words."""
    code = process.exitcode or 0
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {-code}, {signal.Signals(-code).name}"
    return f"exit code {code}"


class _Crew(Generic[R]):
    """The workers, and which slots they have."""

    def __init__(
        self,
        work: Callable[[list[Item]], R],
        size: int,
        warm: Callable[[], object] | None,
    ) -> None:
        self._context = multiprocessing.get_context("fork")
        # Collecting would write to what is there already, and so end the sharing of its memory.
        gc.collect()
        gc.freeze()
        self._work = work
        self._warm = warm
        self._deaths = 0
        self.finished = 0  # items
        self.workers: dict[Connection, _Worker[R]] = {}
        for _ in range(size):
            self._start()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        others = [*self.workers, ours]

        def target() -> None:
            # Copies of the parent's ends, which would keep pipes open after its death.
            for connection in others:
                connection.close()
            _serve(theirs, self._work, self._warm)

        process = self._context.Process(target=target, daemon=True)
        with warnings.catch_warnings():
            # Python ≥ 3.12 warns of threads; those of numpy's BLAS are prepared for forking.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        self.workers[ours] = _Worker(process, ours)

    def replace(self, worker: _Worker[R]) -> str:
        """Start another process for one that died; how it died.

        Raises:
            FmnistError: too many have died.
        """
        del self.workers[worker.connection]
        worker.connection.close()
        worker.process.join()
        end = _end(worker.process)
        self._deaths += 1
        if self._deaths > DEATHS + self.finished // 10:
            raise FmnistError(
                f"worker processes keep dying ({end}), perhaps for lack of memory;"
                " try fewer --workers or a smaller --batch-size"
            )
        self._start()
        return end

    def dismiss(self) -> None:
        """End all workers at once; they hold nothing that would be lost."""
        gc.unfreeze()  # or what others have made would never be taken down, which some complain of
        workers = list(self.workers.values())

        def bury() -> None:
            for worker in workers:
                worker.process.join()

        for worker in workers:
            worker.process.kill()
            worker.connection.close()
        # Taking a process down takes milliseconds, which nobody needs to wait for.
        threading.Thread(target=bury).start()


def in_processes(
    work: Callable[[list[Item]], R],
    take: Callable[[], list[Item]],
    learn: Callable[[int, float], None],
    lost: Callable[[Item, str], R],
    workers: int,
    warm: Callable[[], object] | None = None,
) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.pool.ordered_map`."""
    slots: deque[_Slot[R]] = deque()  # in order, not yet handed on
    again: deque[_Slot[R]] = deque()  # taken back from workers that died
    crew: _Crew[R] = _Crew(work, workers, warm)

    def feed() -> None:
        for turn in range(AHEAD):  # everybody has one chunk before anybody has two
            for worker in crew.workers.values():
                if len(worker.slots) > turn:
                    continue
                if again:
                    slot = again.popleft()
                elif len(slots) < WINDOW * workers and (chunk := take()):
                    slot = _Slot(chunk)
                    slots.append(slot)
                else:
                    return
                worker.slots.append(slot)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    worker.connection.send(slot.chunk)  # if it died, receiving will tell

    def bury(worker: _Worker[R]) -> None:
        end = crew.replace(worker)
        if not worker.slots:
            return
        guilty = worker.slots.popleft()
        if len(guilty.chunk) == 1:
            guilty.result, guilty.done = lost(guilty.chunk[0], end), True
            again.extendleft(reversed(worker.slots))
            return
        single: list[_Slot[R]] = [_Slot([item]) for item in guilty.chunk]
        at = slots.index(guilty)
        slots.remove(guilty)
        for offset, slot in enumerate(single):
            slots.insert(at + offset, slot)
        again.extendleft(reversed([*single, *worker.slots]))

    try:
        feed()
        while slots:
            while slots and slots[0].done:
                slot = slots.popleft()
                yield slot.result  # type: ignore[misc]
            feed()
            busy = [worker.connection for worker in crew.workers.values() if worker.slots]
            for connection in wait(busy) if busy else ():
                worker = crew.workers[connection]  # type: ignore[index]
                try:
                    result, seconds, error = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    bury(worker)
                    continue
                if error is not None:
                    raise error
                slot = worker.slots.popleft()
                slot.result, slot.done = result, True
                crew.finished += len(slot.chunk)
                learn(len(slot.chunk), seconds)
    finally:
        crew.dismiss()
