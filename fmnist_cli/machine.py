"""The machine that a training run or a measurement was made on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from fmnist_cli.cores import available_cores


@dataclass(frozen=True, slots=True)
class Machine:
    """The kind of machine a run was made on; no names, no paths."""

    processor: str
    cores: int
    device: str
    system: str

    @classmethod
    def current(cls, device: str = "cpu") -> Machine:
        """The machine this runs on; `device` says where the work was done."""
        return cls(_processor(), available_cores(), device, platform.system())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
