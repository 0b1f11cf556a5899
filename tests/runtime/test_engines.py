"""Chunks, workers, order and bounds; and workers that die."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmnist_cli.contract import Picture
from fmnist_cli.engines import (
    CHUNK_BYTES,
    ENGINES,
    FIRST,
    LARGEST,
    UNEXPECTED,
    Chunker,
    default_engine,
    ordered_map,
)
from fmnist_cli.errors import DEBUG, FmnistError, ModelError
from fmnist_cli.sources.items import FileItem, HeldItem, Item

HERE = [name for name in ENGINES if name != "fork" or sys.platform == "linux"]
PROCESSES = [name for name in HERE if name != "threads"]


def items(count: int) -> list[Item]:
    return [FileItem(f"{index}.png", f"/{index}.png") for index in range(count)]


class Names:
    """The names of items; the base of the other workers, which are values that can be pickled."""

    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        return [item.path for item in chunk]

    def warm(self) -> None:
        pass

    def lost(self, item: Item, reason: str) -> list[str]:
        return [f"{item.path}: {reason}"]


class Slow(Names):
    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        time.sleep(0.05 if chunk[0].path in ("0.png", "9.png") else 0)
        return super().__call__(chunk)


class Here(Names):
    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        return [f"{os.getpid()} {threading.get_ident()}" for _ in chunk]


class Long(Names):
    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        return [item.path + "x" * 300_000 for item in chunk]


class Wrong(Names):
    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        raise ModelError("not finite")


class Deadly(Names):
    """Ends its process at the items for which `fatal` is true."""

    fatal = frozenset({"17.png", "18.png", "60.png"})

    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        if any(self.is_fatal(item.path) for item in chunk):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(chunk)

    def is_fatal(self, path: str) -> bool:
        return path in self.fatal


class OftenDeadly(Deadly):
    def is_fatal(self, path: str) -> bool:
        return int(path[:-4]) % 50 == 49


class Faulty(Names):
    """Fails on items 3, 4 and 5, each in its own way."""

    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        for item in chunk:
            if item.path == "3.png":
                raise IndexError("a bug")
            if item.path == "4.png":
                faulthandler.disable()  # pytest's, which would tell about it
                os.kill(os.getpid(), signal.SIGSEGV)
            while item.path == "5.png":
                pass
        return super().__call__(chunk)


class Leaving(Names):
    def __call__(self, chunk: Sequence[Item]) -> list[str]:
        os._exit(9)


def names(chunk: Sequence[Item]) -> list[str]:
    return [item.path for item in chunk]


def flat(chunks: Iterator[list[str]]) -> list[str]:
    return [name for chunk in chunks for name in chunk]


def run(worker: Names, what: Any, **options: Any) -> list[str]:
    return flat(ordered_map(worker, what, **{"workers": 2, **options}))


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("count", [0, 1, FIRST, FIRST + 1, 333])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_every_item_once_and_in_order(engine: str, count: int, batch_size: int | None) -> None:
    expected = [f"{index}.png" for index in range(count)]
    assert run(Names(), items(count), engine=engine, batch_size=batch_size) == expected


@pytest.mark.parametrize("engine", HERE)
def test_chunks_of_one_item(engine: str) -> None:
    assert run(Names(), items(99), engine=engine, batch_size=1) == names(items(99))


@pytest.mark.parametrize("engine", HERE)
def test_order_is_kept_when_later_chunks_are_quicker(engine: str) -> None:
    found = run(Slow(), items(30), batch_size=3, workers=3, engine=engine)
    assert found == names(items(30))


def test_a_single_chunk_is_done_elsewhere_unless_nothing_needs_decoding() -> None:
    (there,) = set(run(Here(), items(FIRST), engine=default_engine()))
    assert not there.startswith(f"{os.getpid()} ")
    decoded = [HeldItem(str(n), Picture(np.zeros((1, 1), np.uint8), True)) for n in range(FIRST)]
    (here,) = set(run(Here(), decoded, engine=default_engine()))
    assert here == f"{os.getpid()} {threading.get_ident()}"


@pytest.mark.parametrize("engine", PROCESSES)
def test_processes_are_really_others(engine: str) -> None:
    before = gc.get_freeze_count()  # of Python 3.12 not 0
    found = run(Here(), items(200), batch_size=2, engine=engine)
    pids = {where.partition(" ")[0] for where in found}
    assert str(os.getpid()) not in pids
    assert 1 <= len(pids) <= 2
    assert gc.get_freeze_count() == before  # what was there before can be taken down at exit


@pytest.mark.parametrize("engine", HERE)
def test_items_are_taken_up_only_a_little_ahead(engine: str) -> None:
    taken = 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        while True:
            taken += 1
            yield FileItem(f"{taken}.png", "")

    results = ordered_map(Names(), endless(), workers=2, batch_size=4, engine=engine)
    with closing(results):
        for _ in range(10):
            next(results)
    assert taken <= (10 + 4 * 2 + 2) * 4


def test_chunks_follow_the_cost_of_their_items() -> None:
    chunker = Chunker(items(100_000))
    assert len(chunker.take()) == FIRST
    for _ in range(20):
        chunker.learn(100, 1e-5)
    assert len(chunker.take()) == LARGEST
    chunker.learn(LARGEST, 60.0)
    assert len(chunker.take()) == 1


def test_a_fixed_batch_size_stays() -> None:
    chunker = Chunker(items(100), 5)
    chunker.learn(5, 1e-9)
    assert [len(chunker.take()) for _ in range(3)] == [5, 5, 5]


def test_content_that_travels_is_bounded() -> None:
    big = [HeldItem(str(index), bytes(CHUNK_BYTES // 2), "") for index in range(5)]
    chunker = Chunker(big, 512)
    assert [len(chunker.take()) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("engine", PROCESSES)
def test_large_contents_and_large_results_do_not_block_each_other(engine: str) -> None:
    big = [HeldItem(str(index), bytes(400_000), "") for index in range(30)]
    found = run(Long(), big, batch_size=1, engine=engine)
    assert [name.rstrip("x") for name in found] == [item.path for item in big]


@pytest.mark.parametrize("engine", HERE)
def test_an_error_of_ours_comes_through_as_it_is(engine: str) -> None:
    with pytest.raises(ModelError, match=r"^not finite$"):
        run(Wrong(), items(40), engine=engine)


@pytest.mark.parametrize("engine", PROCESSES)
@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_only_the_item_that_ends_its_process_is_lost(engine: str, batch_size: int | None) -> None:
    expected = [
        f"{name}: the decoder crashed on it (signal 9, SIGKILL)" if name in Deadly.fatal else name
        for name in names(items(100))
    ]
    assert run(Deadly(), items(100), batch_size=batch_size, engine=engine) == expected


@pytest.mark.parametrize(
    ("engine", "workers"),
    [(name, n) for name in PROCESSES for n in (1, 2) if (name, n) != ("spawn", 1)],
)
@pytest.mark.parametrize("count", [6, 90])
def test_whatever_is_wrong_with_an_item_costs_no_other(
    engine: str, workers: int, count: int
) -> None:
    found = run(Faulty(), items(count), engine=engine, workers=workers, timeout=0.4)
    assert found[3:6] == [
        f"3.png: {UNEXPECTED}: IndexError: a bug",
        "4.png: the decoder crashed on it (signal 11, SIGSEGV)",
        "5.png: took longer than 0.4 s; see --timeout",
    ]
    assert found[:3] + found[6:] == names(items(count)[:3] + items(count)[6:])


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_items_that_crash_every_time_are_lost_one_by_one() -> None:
    found = run(Faulty(), [FileItem("4.png", "")] * 50, engine="fork", batch_size=1)
    assert found == ["4.png: the decoder crashed on it (signal 11, SIGSEGV)"] * 50


@pytest.mark.parametrize("engine", HERE)
def test_an_unexpected_exception_costs_one_item_and_can_be_seen(
    engine: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = names(items(30))
    expected[3] = f"3.png: {UNEXPECTED}: IndexError: a bug"
    some = [item for item in items(30) if item.path not in ("4.png", "5.png")]
    del expected[4:6]
    assert run(Faulty(), some, engine=engine) == expected
    assert capfd.readouterr().err == ""
    monkeypatch.setenv(DEBUG, "1")
    assert run(Faulty(), some, engine=engine) == expected
    assert capfd.readouterr().err.count("IndexError: a bug") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_many_deadly_items_among_more_good_ones_are_survived() -> None:
    found = run(OftenDeadly(), items(1500), batch_size=10, engine="fork")
    assert sum("crashed" in name for name in found) == 30
    assert len(found) == 1500


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_processes_that_keep_dying_end_the_run() -> None:
    with pytest.raises(FmnistError, match="keep dying \\(exit code 9\\)"):
        run(Leaving(), items(100), engine="fork")


@pytest.mark.parametrize("engine", PROCESSES)
def test_no_process_outlives_a_killed_parent(tmp_path: Path, engine: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text("""
import os, sys, time
from fmnist_cli.engines import ordered_map
from fmnist_cli.sources.items import FileItem

class Worker:
    def __call__(self, chunk):
        with open(sys.argv[1], "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(0.02)
        return chunk
    def warm(self):
        pass
    def lost(self, item, reason):
        return []

if __name__ == "__main__":
    items = (FileItem("", "") for _ in range(10**6))
    for _ in ordered_map(Worker(), items, workers=3, batch_size=1, engine=sys.argv[2]):
        pass
""")
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, script, pids, engine]) as parent:
        while not pids.exists() or len(set(pids.read_text().split())) < 3:
            time.sleep(0.01)
        parent.kill()
    workers = {int(pid) for pid in pids.read_text().split()}
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() and is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
