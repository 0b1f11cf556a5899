"""Memory of a process and all it starts, on Linux.

Workers share most of their memory with their parent. The proportional set size (PSS) counts
a page that n processes share as 1/n in each, so its sum over the processes is what they
take together.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Peak:
    """What a command took.

    Attributes:
        pss_bytes: largest sum of the PSS of its processes at one time.
        anonymous_bytes: the same without the pages of files, such as libraries, so that no
            other program can have a share in it.
        rss_bytes: largest resident size of each process, largest first; what is shared
            counts in each.
        seconds: from start to end.
        samples: how often it was looked at.
    """

    pss_bytes: int
    anonymous_bytes: int
    rss_bytes: tuple[int, ...]
    seconds: float
    samples: int


def kilobytes(text: str, field: str) -> int:
    """The value of a line like ``Pss:  123 kB``; 0 where there is none."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # the process has ended meanwhile
        return ""


def users_of(library: str) -> int:
    """How many processes have a library in memory whose path contains `library`."""
    return sum(library in _read(maps) for maps in PROC.glob("[0-9]*/maps"))


def descendants(pid: int) -> Iterator[int]:
    """A process, its children, theirs, and so on."""
    yield pid
    for children in PROC.glob(f"{pid}/task/*/children"):
        for child in _read(children).split():
            yield from descendants(int(child))


def watch(command: Sequence[str], interval_s: float) -> Peak:
    """Run a command and look at its memory every `interval_s` seconds.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    peak_pss, peak_anonymous, samples = 0, 0, 0
    resident: dict[int, int] = {}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        while process.poll() is None:
            total, anonymous = 0, 0
            for pid in list(descendants(process.pid)):
                sizes = _read(PROC / str(pid) / "smaps_rollup")
                total += kilobytes(sizes, "Pss")
                anonymous += kilobytes(sizes, "Pss_Anon") + kilobytes(sizes, "Pss_Shmem")
                high = kilobytes(_read(PROC / str(pid) / "status"), "VmHWM")
                resident[pid] = max(resident.get(pid, 0), high)
            peak_pss = max(peak_pss, total)
            peak_anonymous = max(peak_anonymous, anonymous)
            samples += 1
            time.sleep(interval_s)
        seconds = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"exit code {process.returncode} of {command}\n{said.read()[-2000:]}")
    rss = tuple(sorted((1024 * size for size in resident.values()), reverse=True))
    return Peak(1024 * peak_pss, 1024 * peak_anonymous, rss, seconds, samples)
