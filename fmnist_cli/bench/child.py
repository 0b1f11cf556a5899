"""Processes of this program's own, for what a process is the unit of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def run_python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python that imports this very package, to its end.

    The working directory is no place to import from: a file ``json.py`` in it would be taken
    for the standard library's.

    Args:
        program: after ``python -c``.
        words: its arguments.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a failed process wrote to standard error."""
    return (done.stderr.strip().splitlines() or ["no message"])[-1]
