"""Worker processes, forked or spawned, that survive the death of one of them.

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
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from fmnist_cli.engines import Chunker, Worker, weight
from fmnist_cli.errors import FmnistError
from fmnist_cli.sources.items import Item

R = TypeVar("R")

AHEAD = 2  # chunks a process has at a time: one in work, one waiting
WINDOW = 4  # chunks per process that are taken up, but not yet handed on in their order
DEATHS = 20  # of processes; more than that, and than a part of all items, is no matter of pictures


@dataclass(slots=True, eq=False)
class _Task(Generic[R]):
    """A chunk on its way; tasks stand in the order of the items."""

    chunk: list[Item]
    result: R | None = None
    done: bool = False
    weight: int = 0

    def __post_init__(self) -> None:
        self.weight = weight(self.chunk)


@dataclass(slots=True, eq=False)
class _Process(Generic[R]):
    process: BaseProcess
    connection: Connection
    tasks: deque[_Task[R]] = field(default_factory=deque)


def _serve(connection: Connection, worker: Worker[Any], others: Sequence[Connection]) -> None:
    """Life of a process: chunks in, (result, seconds, error) out, until the other end closes."""
    for other in others:  # copies of the parent's ends, which would keep pipes open after its death
        other.close()
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
    worker.warm()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        while (chunk := chunks.get()) is not None:
            started = time.perf_counter()
            answer: tuple[Any, float, Exception | None]
            try:
                answer = (worker(chunk), time.perf_counter() - started, None)
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


class _Pool(Generic[R]):
    """The processes, and which tasks they have."""

    def __init__(self, worker: Worker[R], size: int, method: str) -> None:
        self._context: Any = multiprocessing.get_context(method)
        self._forks = method == "fork"
        if self._forks:
            # Collecting would write to what is there already, and end the sharing of its memory.
            gc.collect()
            gc.freeze()
        self._worker = worker
        self._deaths = 0
        self.finished = 0  # items
        self.processes: dict[Connection, _Process[R]] = {}
        for _ in range(size):
            self._start()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        others = [*self.processes, ours] if self._forks else []
        process = self._context.Process(
            target=_serve, args=(theirs, self._worker, others), daemon=True
        )
        with warnings.catch_warnings():
            # Python ≥ 3.12 warns of threads; those of numpy's BLAS are prepared for forking.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        self.processes[ours] = _Process(process, ours)

    def replace(self, dead: _Process[R]) -> str:
        """Start another process for one that died; how it died.

        Raises:
            FmnistError: too many have died.
        """
        del self.processes[dead.connection]
        dead.connection.close()
        dead.process.join()
        end = _end(dead.process)
        self._deaths += 1
        if self._deaths > DEATHS + self.finished // 10:
            raise FmnistError(
                f"worker processes keep dying ({end}), perhaps for lack of memory;"
                " try fewer --workers or a smaller --batch-size"
            )
        self._start()
        return end

    def close(self) -> None:
        """End all processes at once; they hold nothing that would be lost."""
        if self._forks:
            gc.unfreeze()  # or what others made would never be taken down, which some complain of
        processes = list(self.processes.values())

        def join() -> None:
            for one in processes:
                one.process.join()

        for one in processes:
            one.process.kill()
            one.connection.close()
        # Taking a process down takes milliseconds, which nobody needs to wait for.
        threading.Thread(target=join).start()


def fork(worker: Worker[R], chunker: Chunker, workers: int) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.Engine`; the model is loaded once, and its memory shared."""
    return _in_processes(worker, chunker, workers, "fork")


def spawn(worker: Worker[R], chunker: Chunker, workers: int) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.Engine`; each process loads the model, on any system."""
    return _in_processes(worker, chunker, workers, "spawn")


def _in_processes(
    worker: Worker[R], chunker: Chunker, workers: int, method: str
) -> Generator[R, None, None]:
    tasks: deque[_Task[R]] = deque()  # in order, not yet handed on
    again: deque[_Task[R]] = deque()  # taken back from processes that died
    pool: _Pool[R] = _Pool(worker, workers, method)

    def feed() -> None:
        for turn in range(AHEAD):  # everybody has one chunk before anybody has two
            for one in pool.processes.values():
                if len(one.tasks) > turn:
                    continue
                if again:
                    task = again.popleft()
                elif sum(t.weight for t in tasks) < WINDOW * workers and (chunk := chunker.take()):
                    task = _Task(chunk)
                    tasks.append(task)
                else:
                    return
                one.tasks.append(task)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    one.connection.send(task.chunk)  # if it died, receiving will tell

    def take_back(dead: _Process[R]) -> None:
        """Do the items of the chunk that it died of again, each by itself."""
        end = pool.replace(dead)
        if not dead.tasks:
            return
        guilty = dead.tasks.popleft()
        if len(guilty.chunk) == 1:
            guilty.result, guilty.done = worker.lost(guilty.chunk[0], end), True
            again.extendleft(reversed(dead.tasks))
            return
        single: list[_Task[R]] = [_Task([item]) for item in guilty.chunk]
        at = tasks.index(guilty)
        tasks.remove(guilty)
        for offset, task in enumerate(single):
            tasks.insert(at + offset, task)
        again.extendleft(reversed([*single, *dead.tasks]))

    try:
        feed()
        while tasks:
            while tasks and tasks[0].done:
                task = tasks.popleft()
                yield task.result  # type: ignore[misc]
            feed()
            busy = [one.connection for one in pool.processes.values() if one.tasks]
            for connection in wait(busy) if busy else ():
                one = pool.processes[connection]  # type: ignore[index]
                try:
                    result, seconds, error = one.connection.recv()
                except (EOFError, ConnectionResetError):
                    take_back(one)
                    continue
                if error is not None:
                    raise error
                task = one.tasks.popleft()
                task.result, task.done = result, True
                pool.finished += len(task.chunk)
                chunker.learn(len(task.chunk), seconds)
    finally:
        pool.close()
