"""The machine: how much of it may be used, and what a measurement was made on."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.errors import FmnistError, UsageError

_LEAST = 32 << 20  # bytes that a worker needs for ordinary pictures
_BESIDE = 512 << 20  # bytes that a process may take for all that is not a picture


def available_cores(root: Path = Path("/")) -> int:
    """Cores this process may use: its affinity, or fewer by the quota of its cgroup, rounded up.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    for path in _cgroup(root, "cpu", "cpu.max", "cpu.cfs_quota_us"):
        with suppress(OSError, ValueError):  # ValueError: "max"
            text = path.read_text(encoding="ascii")
            if path.name != "cpu.max":
                text += path.with_name("cpu.cfs_period_us").read_text(encoding="ascii")
            quota, period = map(int, text.split())
            if quota > 0 and period > 0:  # -1 is none
                cores = min(cores, math.ceil(quota / period))
    return cores


def _cgroup(root: Path, controller: str, v2: str, v1: str) -> Iterator[Path]:
    """Where limits of this process's cgroup, and of those above it, may be."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mounted = root / "sys/fs/cgroup" / (controller if controllers else "")
        group = Path(path.lstrip("/"))
        for part in (group, *group.parents):
            yield mounted / part / (v1 if controllers else v2)


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of memory that there are for this process: the machine's, or fewer by its cgroup.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    limits = [4 << 30]  # where nothing can be found out
    if hasattr(os, "sysconf"):
        limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _cgroup(root, "memory", "memory.max", "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # a limit of "max"
            limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


def memory_share(asked: int | None, workers: int | None) -> tuple[int, int]:
    """The number of workers, and the bytes that one of them may take for a picture.

    The process that hands out pictures has a share, too.

    Args:
        asked: bytes for the whole run; by default half of what there is.
        workers: how many; by default one per core, or fewer where memory is short.

    Raises:
        UsageError: it is too little.
    """
    total = memory_limit() // 2 if asked is None else asked
    count = workers or max(1, min(available_cores(), total // _LEAST - 1))
    share = total // (count + 1)
    if share < _LEAST:
        raise UsageError(
            f"{total >> 20:,} MiB of memory are too little for --workers {count:,}: a worker needs"
            f" {_LEAST >> 20} MiB; use fewer, or a larger --memory"
        )
    return count, share


@contextmanager
def bounded_memory(share: int) -> Iterator[None]:
    """Let this process, and each that it starts, take no more than `share` for pictures.

    Libraries that want more, whatever a file makes them want, get an error instead. Only Linux
    can do this.

    Raises:
        FmnistError: it took more, and not for a picture.
    """
    statm = Path("/proc/self/statm")
    if sys.platform == "win32" or not statm.exists():
        yield
        return
    import resource

    pages = int(statm.read_text(encoding="ascii").split()[5])
    limit = pages * resource.getpagesize() + share + _BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [one for one in (soft, hard) if one != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([limit, *known]), hard))
    try:
        yield
    except MemoryError as error:
        raise FmnistError(
            f"out of memory ({error or f'{limit >> 20:,} MiB'}); give more with --memory"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


class Machine(NamedTuple):
    """The kind of machine a run was made on; no names, no paths."""

    processor: str
    cores: int
    device: str
    system: str

    @classmethod
    def current(cls, device: str = "cpu") -> Machine:
        """The machine this runs on; `device` says where the work was done."""
        import platform

        return cls(_processor(), available_cores(), device, platform.system())


def _processor() -> str:
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
