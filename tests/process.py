"""Running `fmnist` as a process of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24


def drop_root_powers() -> None:
    """Between fork and exec: let permissions bind this process even if it is root's."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that came to its end."""

    code: int
    stdout: str
    stderr: str


RunFmnist = Callable[..., Finished]


def command(*arguments: str | Path) -> list[str]:
    """The command line of `fmnist ARGUMENT…` under this interpreter."""
    return [sys.executable, "-m", "fmnist_cli", *map(str, arguments)]


def environment(home: Path) -> dict[str, str]:
    """An environment that names no data, no models and no terminal width to wrap at."""
    values = {**os.environ, "COLUMNS": "300", "HOME": str(home)}
    named = {name for name in values if name.startswith("FMNIST_")} | {"XDG_CACHE_HOME"}
    return {name: value for name, value in values.items() if name not in named}


def run(*arguments: str | Path, home: Path, bound_by_permissions: bool = False) -> Finished:
    """Run `fmnist` to its end."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        encoding="utf-8",
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        timeout=400,
        check=False,
        preexec_fn=drop_root_powers if bound_by_permissions else None,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
