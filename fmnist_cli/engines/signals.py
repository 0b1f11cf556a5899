"""How pictures end a process, and the limit of time that ends one."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# How a picture ends a process; other ends may come from outside, such as for lack of memory.
BY_PICTURES = {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGALRM"}


def name_of(code: int) -> str:
    """Name of the signal that an exit code stands for; empty if it is none."""
    with suppress(ValueError):
        return signal.Signals(-code).name
    return ""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let the system end this process if the block takes longer; Windows cannot."""
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def heed_time_limit() -> None:
    """Let `time_limit` end this process, whatever its parent made of the signal."""
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
