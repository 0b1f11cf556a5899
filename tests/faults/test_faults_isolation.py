"""Pictures that crash the decoder, keep it busy for ever, or meet a bug: simulated by marks."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faulty import Faulty
from pictures import encoded, frame

import fmnist_cli
from fmnist_cli.contract import Rejected
from fmnist_cli.decode import decode
from fmnist_cli.preprocess import pipeline

MARKS = (b"BUG", b"CRASH", b"HANG")
REASONS = [
    "unexpected error, please report it: IndexError: simulated",
    "the decoder crashed on it (signal 11, SIGSEGV)",
    "took longer than 1 s; see --timeout",
]


def faulty_decode(data: bytes, *, real: Callable[..., Any] = decode, **how: Any) -> Any:
    """`decode`, with what is wrong told by the end of the file."""
    if data.endswith(b"BUG"):
        raise IndexError("simulated")
    if data.endswith(b"CRASH"):
        faulthandler.disable()  # pytest's, which would tell about it
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.endswith(b"HANG"):
        if "HANGING" in os.environ:
            Path(os.environ["HANGING"]).touch()
        time.sleep(1000)
    return real(data, **how)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Makes every process of Python decode as `faulty_decode` does."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "from fmnist_cli.preprocess import pipeline\n"
        "from faults.test_faults_isolation import faulty_decode\n"
        "pipeline.decode = faulty_decode\n"
    )
    paths = (folder, Path(__file__).parents[1], os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(map(str, paths))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(8):
        mark = MARKS[number - 2] if number in (2, 3, 4) else b""
        (root / f"{number}.png").write_bytes(encoded(frame(number)) + mark)
    return root


def reasons(rows: list[dict[str, Any]]) -> list[str | None]:
    return [row["error"] for row in rows]


@pytest.mark.parametrize("workers", ["1", "3"])
def test_one_chunk(fmnist: Faulty, folder: Path, env: dict[str, str], workers: str) -> None:
    """a row with the reason for each, labels for all others, exit 3, how to report a bug"""
    words = ("--workers", workers, "--timeout", "1")
    outcome = fmnist("classify", folder, *words, env=env, cpu=10)
    assert outcome.code == 3
    assert reasons(outcome.rows) == [None, None, *REASONS, None, None, None]
    assert "hint: FMNIST_DEBUG=1 shows where" in outcome.said


@pytest.mark.parametrize("number", [2, 3, 4])
def test_one_picture(fmnist: Faulty, folder: Path, env: dict[str, str], number: int) -> None:
    """its row, with the reason; exit 3"""
    outcome = fmnist("classify", folder / f"{number}.png", "--timeout", "1", env=env)
    assert outcome.code == 3
    assert reasons(outcome.rows) == [REASONS[number - 2]]


def test_named_pictures(fmnist: Faulty, folder: Path, env: dict[str, str]) -> None:
    """a row for each, once, under one header; as of a folder"""
    names = [folder / f"{number}.png" for number in range(8)]
    words = ("--timeout", "1", "--format", "csv")
    outcome = fmnist("classify", *names, *words, env=env, cpu=10)
    assert outcome.code == 3
    lines = outcome.out.decode().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["path", *map(str, names)]
    for number, reason in zip((2, 3, 4), REASONS, strict=True):
        assert reason in lines[1 + number]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_ended_by_a_signal(
    folder: Path, tmp_path: Path, env: dict[str, str], ending: signal.Signals
) -> None:
    """the run ends with all of its processes, which would keep the pipe open"""
    hanging = tmp_path / "hanging"
    env = {**os.environ, **env, "HANGING": str(hanging)}
    command = [sys.executable, "-m", "fmnist_cli", "classify", str(folder / "4.png")]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        while not hanging.exists():
            time.sleep(0.05)
        run.send_signal(ending)
        assert run.communicate(timeout=20) == (b"", None)
    assert run.returncode == -ending


def test_prepare(fmnist: Faulty, folder: Path, env: dict[str, str]) -> None:
    """`prepare` says which pictures these are, and prepares all others"""
    (folder / "4.png").unlink()  # prepare has no --timeout
    outcome = fmnist("prepare", folder, "-o", "pages", env=env)
    assert outcome.code == 3
    lines = outcome.out.decode().splitlines()
    assert lines[2:4] == [f"rejected   {n}.png: {REASONS[n - 2]}" for n in (2, 3)]
    assert len(lines) == 7


def test_from_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """the program lives, and gets the same rows"""
    monkeypatch.setattr(pipeline, "decode", faulty_decode)
    for model in ("auto", fmnist_cli.load("cnn", threads=2)):
        rows = list(fmnist_cli.classify(folder, model, timeout=1))
        errors = [row.error if isinstance(row, Rejected) else None for row in rows]
        assert errors == [None, None, *REASONS, None, None, None]
