"""The machine: how much of it may be used, and what a measurement was made on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


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
