"""The machine: how much of it may be used, and what a measurement was made on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


def available_cores() -> int:
    """Cores this process may use: its affinity, not the machine's size."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
