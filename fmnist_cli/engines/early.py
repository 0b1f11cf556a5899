"""A few named pictures: all is done in one process, forked before libraries and models are loaded.

To fork a process that has loaded them, and to end it, takes longer than labelling a picture. A
picture may crash the process, or take too long: then its parent, which has done nothing so far,
does all once more, with an engine that loses only that picture.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from fmnist_cli.engines import FIRST, Worker, attempt
from fmnist_cli.engines.signals import BY_PICTURES, heed_time_limit, name_of, time_limit
from fmnist_cli.sources.items import Item
from fmnist_cli.sources.kinds import has_image_suffix

R = TypeVar("R")

_PR_SET_PDEATHSIG = 1
_parent: list[int] = []  # where the parent waits for the exit code, in the new process


def fork_early(words: Sequence[str]) -> None:
    """Go on in a new process if these words of a command line name a few pictures, and little else.

    Only the new process returns, unless a picture ended it: then this one does. Else it ends as
    the new one did.
    """
    if sys.platform != "linux" or not _name_few_pictures(words):
        return
    ours, theirs = os.pipe()
    try:
        child = os.fork() if ours > 2 else None
    except OSError:  # there are too many processes
        child = None
    if not child:
        os.close(ours)
        if child is None:
            os.close(theirs)
        else:
            _parent.append(theirs)
        return
    os.close(theirs)
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the new one's business
    terminate = signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    if code := os.read(ours, 1):
        os._exit(code[0])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status >= 0:
        os._exit(status)
    if name_of(status) not in {*BY_PICTURES, "SIGKILL"}:  # the last for lack of memory
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os.close(ours)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, terminate)


def _name_few_pictures(words: Sequence[str]) -> bool:
    """Whether some are files of pictures, not more than one chunk, and no other is a path."""
    paths = [
        word
        for word in words
        if word == "-" or "://" in word or os.path.exists(word)  # noqa: PTH110
    ]
    return 0 < len(paths) < FIRST and all(
        has_image_suffix(path) and os.path.isfile(path)  # noqa: PTH113
        for path in paths
    )


def is_early() -> bool:
    """Whether `fork_early` made this process, so that it may crash."""
    return bool(_parent)


def leave(code: int) -> None:
    """End at once, without taking the interpreter and its libraries down by the book."""
    if _parent:
        # The system takes milliseconds to take a process down; the parent need not wait for that,
        # nor who reads what it wrote.
        for file in range(3):
            with suppress(OSError):
                os.close(file)
        os.write(_parent[0], bytes([code]))
    os._exit(code)


def early(worker: Worker[R], chunk: list[Item], timeout: float) -> Generator[R, None, None]:
    """The results of a chunk, in the process that `fork_early` made."""
    if sys.platform == "linux":
        _end_with_parent(signal.SIGKILL)
    heed_time_limit()
    with time_limit(timeout):
        results = attempt(worker, chunk)
    yield from results


def _end_with_parent(by: signal.Signals) -> None:
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        prctl: Any = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, by)
