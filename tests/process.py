"""Running `fmnist` as a process of its own."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24


def drop_root_powers() -> None:
    """Between fork and exec: let permissions bind this process even if it is root's."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def heed_interrupts() -> None:
    """Between fork and exec: background jobs of a script are started with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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


# Commands that import PyTorch: seconds for each process, so they run in this one.
_HEAVY = {"train", "train-all", "train-guard", "export", "calibrate", "explain", "data audit"}


def run(*arguments: str | Path, home: Path, bound_by_permissions: bool = False) -> Finished:
    """Run `fmnist` to its end."""
    words = [str(word) for word in arguments]
    if {" ".join(words[:1]), " ".join(words[:2])} & _HEAVY and not bound_by_permissions:
        return run_here(*words, home=home)
    return finished(
        command(*arguments),
        home=home,
        preexec_fn=drop_root_powers if bound_by_permissions else None,
    )


def finished(
    words: Sequence[str], *, home: Path, preexec_fn: Callable[[], None] | None = None
) -> Finished:
    """Run a program to its end."""
    done = subprocess.run(
        words,
        capture_output=True,
        encoding="utf-8",
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        timeout=400,
        check=False,
        preexec_fn=preexec_fn,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def run_here(*arguments: str | Path, home: Path) -> Finished:
    """As `run`, in this process."""
    from fmnist_cli.cli import main

    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.chdir(home)
        values = environment(home)
        for name in set(os.environ) - set(values):
            patch.delenv(name)
        for name, value in values.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["fmnist", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    return Finished(code if isinstance(code, int) else 0, out, err)
