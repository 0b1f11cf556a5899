"""Chunks, workers, order and bounds; and workers that die."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fmnist_cli.engines.pool import (
    CHUNK_BYTES,
    FIRST,
    LARGEST,
    Chunker,
    Engine,
    default_engine,
    ordered_map,
)
from fmnist_cli.errors import FmnistError, ModelError
from fmnist_cli.sources.base import FileItem, HeldItem, Item

ENGINES: list[Engine] = ["threads", "processes"] if sys.platform == "linux" else ["threads"]


def items(count: int) -> list[Item]:
    return [FileItem(f"{index}.png", f"/{index}.png") for index in range(count)]


def lost(item: Item, end: str) -> list[str]:
    return [f"{item.path} lost: {end}"]


def names(chunk: list[Item]) -> list[str]:
    return [item.path for item in chunk]


def flat(chunks: Iterator[list[str]]) -> list[str]:
    return [name for chunk in chunks for name in chunk]


def run(work: Callable[[list[Item]], list[str]], what: Any, **options: Any) -> list[str]:
    return flat(ordered_map(work, what, **{"lost": lost, "workers": 2, **options}))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [0, 1, FIRST, FIRST + 1, 333])
@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_every_item_once_and_in_order(engine: Engine, count: int, batch_size: int | None) -> None:
    expected = [f"{index}.png" for index in range(count)]
    assert run(names, items(count), engine=engine, batch_size=batch_size) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_order_is_kept_when_later_chunks_are_quicker(engine: Engine) -> None:
    def work(chunk: list[Item]) -> list[str]:
        time.sleep(0.05 if chunk[0].path in ("0.png", "9.png") else 0)
        return names(chunk)

    assert run(work, items(30), batch_size=3, workers=3, engine=engine) == names(items(30))


def test_what_fits_one_chunk_starts_no_worker() -> None:
    here: list[int] = []

    def work(chunk: list[Item]) -> list[str]:
        here.append(threading.get_ident())
        return names(chunk)

    assert len(run(work, items(FIRST), engine=default_engine())) == FIRST
    assert here == [threading.get_ident()]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_processes_are_really_others() -> None:
    def work(chunk: list[Item]) -> list[str]:
        return [str(os.getpid())]

    pids = set(run(work, items(200), batch_size=2, engine="processes"))
    assert str(os.getpid()) not in pids
    assert len(pids) == 2
    assert not gc.get_freeze_count()  # what was there before can be taken down at exit


@pytest.mark.parametrize("engine", ENGINES)
def test_items_are_taken_up_only_a_little_ahead(engine: Engine) -> None:
    taken = 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        while True:
            taken += 1
            yield FileItem(f"{taken}.png", "")

    results = ordered_map(names, endless(), lost=lost, workers=2, batch_size=4, engine=engine)
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


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_large_contents_and_large_results_do_not_block_each_other() -> None:
    def work(chunk: list[Item]) -> list[str]:
        return [item.path + "x" * 300_000 for item in chunk]

    big = [HeldItem(str(index), bytes(400_000), "") for index in range(30)]
    found = run(work, big, batch_size=1, engine="processes")
    assert [name.rstrip("x") for name in found] == [item.path for item in big]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_of_ours_comes_through_as_it_is(engine: Engine) -> None:
    def work(chunk: list[Item]) -> list[str]:
        raise ModelError("not finite")

    with pytest.raises(ModelError, match=r"^not finite$"):
        run(work, items(40), engine=engine)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_only_the_item_that_ends_its_process_is_lost(batch_size: int | None) -> None:
    deadly = {"17.png", "18.png", "60.png"}

    def work(chunk: list[Item]) -> list[str]:
        if any(item.path in deadly for item in chunk):
            os.kill(os.getpid(), signal.SIGKILL)
        return names(chunk)

    expected = [
        f"{name} lost: signal 9, SIGKILL" if name in deadly else name for name in names(items(100))
    ]
    assert run(work, items(100), batch_size=batch_size, engine="processes") == expected


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_many_deadly_items_among_more_good_ones_are_survived() -> None:
    def work(chunk: list[Item]) -> list[str]:
        if any(int(item.path[:-4]) % 50 == 49 for item in chunk):
            os.kill(os.getpid(), signal.SIGKILL)
        return names(chunk)

    found = run(work, items(1500), batch_size=10, engine="processes")
    assert sum("lost" in name for name in found) == 30
    assert len(found) == 1500


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_processes_that_keep_dying_end_the_run() -> None:
    def work(chunk: list[Item]) -> list[str]:
        os._exit(9)

    with pytest.raises(FmnistError, match="keep dying \\(exit code 9\\)"):
        run(work, items(100), engine="processes")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = """
import os, sys, time
from fmnist_cli.engines.pool import ordered_map
from fmnist_cli.sources.base import FileItem
def work(chunk):
    open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
    time.sleep(0.02)
    return chunk
for _ in ordered_map(work, (FileItem("", "") for _ in range(10**6)),
                     lost=lambda *_: [], workers=3, batch_size=1, engine="processes"):
    pass
"""
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-c", script, str(pids)]) as parent:
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
