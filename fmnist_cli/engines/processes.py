"""Worker processes, forked or spawned, that survive the death of one of them.

A damaged picture can crash a decoder written in C, or keep it busy for ever. The items of the
chunk it was in are then done again one by one in a new process, so that only the guilty one is
lost, and says so.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.engines import Chunker, Worker, attempt, fetching, weight
from fmnist_cli.engines.signals import BY_PICTURES, heed_time_limit, name_of, time_limit
from fmnist_cli.errors import FmnistError, UsageError
from fmnist_cli.sources.items import Item
from fmnist_cli.sources.objects import RemoteItem

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

R = TypeVar("R")

AHEAD = 2  # chunks a process has at a time: one in work, one waiting
# The same where they are fetched first: three times `CHUNK_SECONDS` is what an object may take.
REMOTE_AHEAD = 4
WINDOW = 4  # chunks per process that are taken up, but not yet handed on in their order
REMOTE_WINDOW = 8
DEATHS = 20  # of processes; more than that, and than a part of all items, is no matter of pictures
# What a process says of a chunk: results, seconds, or the error that ends the run.
_Answer = tuple[list[Any], float, FmnistError | None]


class _Task(Generic[R]):
    """A chunk on its way, and its results when they are there."""

    def __init__(self, chunk: list[Item]) -> None:
        self.chunk = chunk
        self.weight = weight(chunk)
        self.results: list[R] | None = None


class _Process(Generic[R]):
    """A process, what it has to do, and whether it has begun."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.tasks: deque[_Task[R]] = deque()
        self.ready = False


def _settle() -> None:
    """Make a new process independent of how its parent deals with signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    heed_time_limit()


def _answer(worker: Worker[Any], ready: Callable[[], list[Item]], timeout: float) -> _Answer:
    """Work on a chunk when it is ready; after `timeout` seconds the system ends this process.

    A chunk is made to last far less than one picture may take. Where it lasts longer, each of
    its items is done again, with all the time that it may take.
    """
    try:
        chunk = ready()
        started = time.perf_counter()
        with time_limit(timeout):
            return attempt(worker, chunk), time.perf_counter() - started, None
    except FmnistError as error:
        return [], 0.0, error


def _serve(
    connection: Connection, worker: Worker[Any], others: Sequence[Connection], timeout: float
) -> None:
    """Life of a process: chunks in, answers out, until the other end closes."""
    import queue

    for other in others:  # copies of the parent's ends, which would keep pipes open after its death
        other.close()
    # Collecting would write to what is there already, and end the sharing of its memory.
    gc.freeze()
    gc.set_threshold(50_000)  # rows hold no cycles; the few in errors can wait
    _settle()
    chunks: queue.SimpleQueue[Callable[[], list[Item]] | None] = queue.SimpleQueue()

    def receive() -> None:
        # In a thread, so that the parent never blocks on a full pipe while this process
        # blocks on the other one.
        with contextlib.suppress(EOFError, OSError):
            while True:
                chunks.put(fetching(connection.recv()))
        chunks.put(None)

    threading.Thread(target=receive, daemon=True).start()
    with libraries_quiet():
        worker.warm()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
            connection.send(None)  # ready
            while (ready := chunks.get()) is not None:
                connection.send(_answer(worker, ready, timeout))


def _end(code: int) -> str:
    """How a process ended, in words."""
    name = name_of(code)
    return f"signal {-code}, {name}" if name else f"exit code {code}"


def _reason(code: int, timeout: float) -> str:
    """Why an item has no result, by how its process ended."""
    if name_of(code) == "SIGALRM":
        return f"took longer than {timeout:g} s; see --timeout"
    return f"the decoder crashed on it ({_end(code)})"


class _Pool(Generic[R]):
    """The processes, and which tasks they have."""

    def __init__(self, worker: Worker[R], size: int, timeout: float, method: str) -> None:
        import multiprocessing

        self._context: Any = multiprocessing.get_context(method)
        self._forks = method == "fork"
        self._worker = worker
        self._timeout = timeout
        self._deaths = 0
        self.finished = 0  # items
        self.processes: dict[Connection, _Process[R]] = {}
        for _ in range(size):
            self._start()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        others = [*self.processes, ours] if self._forks else []
        process = self._context.Process(
            target=_serve, args=(theirs, self._worker, others, self._timeout), daemon=True
        )
        with _forking():
            process.start()
        theirs.close()
        self.processes[ours] = _Process(process, ours)

    def replace(self, dead: _Process[R]) -> int:
        """Start another process for one that died; its exit code.

        Raises:
            FmnistError: too many have died.
        """
        del self.processes[dead.connection]
        dead.connection.close()
        dead.process.join()
        code = dead.process.exitcode or 0
        self._deaths += not (dead.ready and name_of(code) in BY_PICTURES)
        if self._deaths > DEATHS + self.finished // 10:
            raise FmnistError(
                f"worker processes keep dying ({_end(code)}), perhaps for lack of memory;"
                " try fewer --workers or a smaller --batch-size"
            )
        self._start()
        return code

    def close(self) -> None:
        """End all processes at once; they hold nothing that would be lost."""
        processes = list(self.processes.values())

        def join() -> None:
            for one in processes:
                one.process.join()

        for one in processes:
            one.process.kill()
            one.connection.close()
        # Taking a process down takes milliseconds, which nobody needs to wait for.
        threading.Thread(target=join).start()


@contextlib.contextmanager
def _forking() -> Generator[None, None, None]:
    """Python ≥ 3.12 warns of threads; those of numpy's BLAS are prepared for forking."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def fork(
    worker: Worker[R], chunker: Chunker, workers: int, timeout: float
) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.Engine`; the model is loaded once, and its memory shared.

    Raises:
        UsageError: this is Windows.
    """
    if sys.platform == "win32":
        raise UsageError("Windows cannot fork processes; use --engine spawn or threads")
    return _in_processes(worker, chunker, workers, timeout, "fork")


def spawn(
    worker: Worker[R], chunker: Chunker, workers: int, timeout: float
) -> Generator[R, None, None]:
    """See `fmnist_cli.engines.Engine`; each process loads the model, on any system."""
    return _in_processes(worker, chunker, workers, timeout, "spawn")


def _in_processes(
    worker: Worker[R], chunker: Chunker, workers: int, timeout: float, method: str
) -> Generator[R, None, None]:
    from multiprocessing.connection import wait

    tasks: deque[_Task[R]] = deque()  # in order, not yet handed on
    again: deque[_Task[R]] = deque()  # taken back from processes that died
    pool: _Pool[R] = _Pool(worker, workers, timeout, method)

    def feed() -> None:
        remote = bool(tasks) and type(tasks[-1].chunk[0]) is RemoteItem
        ahead, window = (REMOTE_AHEAD, REMOTE_WINDOW) if remote else (AHEAD, WINDOW)
        for turn in range(ahead):  # everybody has one chunk before anybody has two
            for one in pool.processes.values():
                if len(one.tasks) > turn:
                    continue
                if again:
                    task = again.popleft()
                elif sum(t.weight for t in tasks) < window * workers and (chunk := chunker.take()):
                    task = _Task(chunk)
                    tasks.append(task)
                else:
                    return
                one.tasks.append(task)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    one.connection.send(task.chunk)  # if it died, receiving will tell

    def take_back(dead: _Process[R]) -> None:
        """Do the items of the chunk that it died of again, each by itself."""
        code = pool.replace(dead)
        if not dead.tasks or not dead.ready:
            again.extendleft(reversed(dead.tasks))
            return
        guilty = dead.tasks.popleft()
        if len(guilty.chunk) == 1:
            guilty.results = [worker.lost(guilty.chunk[0], _reason(code, timeout))]
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
            while tasks and (done := tasks[0].results) is not None:
                tasks.popleft()
                yield from done
            feed()
            busy = [one.connection for one in pool.processes.values() if one.tasks]
            for connection in wait(busy) if busy else ():
                one = pool.processes[connection]  # type: ignore[index]
                try:
                    answer: _Answer | None = one.connection.recv()
                except (EOFError, ConnectionResetError):
                    take_back(one)
                    continue
                if answer is None:
                    one.ready = True
                    continue
                results, seconds, error = answer
                if error is not None:
                    raise error
                task = one.tasks.popleft()
                task.results = results
                pool.finished += len(task.chunk)
                chunker.learn(len(task.chunk), seconds)
    finally:
        pool.close()
