"""Standard streams that are closed, full, or read by nobody; terminals; full disks."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded, frame, smooth
from process import command, environment
from tinymodel import tiny_onnx

import fmnist_cli

HOSTILE = "\x1b]0;owned\x07"  # sets a terminal's title

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX shells")


def shell(folder: Path, line: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A line for the shell, in which FMNIST stands for the command."""
    line = line.replace("FMNIST", shlex.join(command()))
    env = environment(folder)
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=env, text=True, capture_output=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(encoded(frame(number)))
    return tmp_path


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_streams_without_rows(folder: Path, closed: str) -> None:
    """the rows, exit 0"""
    done = shell(folder, f"FMNIST classify 1.png -q {closed}")
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


def test_all_streams_closed(folder: Path) -> None:
    """a file is written all the same, exit 0"""
    done = shell(folder, "FMNIST classify . -o rows.csv <&- >&- 2>&-")
    assert done.returncode == 0
    assert (folder / "rows.csv").read_text().count("\n") == 41


@pytest.mark.parametrize("out", [">&-", "> /dev/full"])
@pytest.mark.parametrize("words", ["classify 1.png -q", "models"])
def test_rows_for_a_closed_or_full_output(folder: Path, out: str, words: str) -> None:
    """exit 1, one line that says so"""
    done = shell(folder, f"FMNIST {words} {out}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write to standard output: ")
    assert done.stderr.count("\n") == 1


def test_paths_from_a_closed_input(folder: Path) -> None:
    """exit 2, and why"""
    done = shell(folder, "FMNIST classify - <&-")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot read paths from '-': ")


def test_full_standard_error(folder: Path) -> None:
    """the words are lost and the rows are not, exit 0"""
    done = shell(folder, "FMNIST classify 1.png 2> /dev/full")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)


@pytest.mark.parametrize("words", ["classify 1.png", "--help"])
def test_nobody_reads(folder: Path, words: str) -> None:
    """ended by SIGPIPE like other tools, without a word"""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as pipe:
        done = subprocess.run(
            command(*words.split()),
            cwd=folder,
            env=environment(folder),
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize(
    ("words", "kib", "named"),
    [
        ("classify . -o rows.jsonl", 4, "rows.jsonl.partial"),
        ("classify 1.png -q --report page.html > /dev/null", 4, "page.html.partial"),
        ("classify 1.png -q --summary counts.json", 1, "counts.json"),
        ("prepare 1.png -o pages", 1, "pages/0001-1.png"),
    ],
)
def test_full_disk(folder: Path, words: str, kib: int, named: str) -> None:
    """exit 1, and which file"""
    # In blocks of 512 bytes. Bytecode would be cut off, too, and kept for other tests.
    done = shell(folder, f"ulimit -f {2 * kib}; PYTHONDONTWRITEBYTECODE=1 FMNIST {words}")
    assert done.returncode == 1
    assert f"{named}: File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_hostile_names_on_a_terminal(folder: Path) -> None:
    """in no kind of output, nor of word about it, is there a control character"""
    import pty

    names = tuple(f"class {n}{HOSTILE}" for n in range(10))
    model = f"m{HOSTILE}.onnx"
    (folder / model).write_bytes(tiny_onnx(f"tiny{HOSTILE}", names)[0])
    (folder / "in").mkdir()
    (folder / "in" / f"good{HOSTILE}.png").write_bytes(encoded(frame(1)))
    (folder / "in" / f"bad{HOSTILE}.png").write_bytes(b"no picture")
    runs = [
        ["in", "-m", model, "--format", "csv", "-v"],
        ["in", "-m", model, "--sort-into", f"sorted{HOSTILE}"],
        ["in", "-m", f"gone{HOSTILE}"],
        [f"gone{HOSTILE}"],
    ]
    for words in runs:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command("classify", *words),
            cwd=folder,
            env={**environment(folder), "TERM": "dumb"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 1 << 16):
                shown += piece
        except OSError:  # so ends a terminal on Linux
            pass
        process.wait()
        os.close(ours)
        assert b"owned" in shown
        assert b"\x1b]" not in shown
        assert b"\x07" not in shown


def test_messages_of_libraries_from_python(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """nothing on standard error"""
    import cv2

    content = bytearray(encoded(smooth(200, 200, 3), "JPEG"))
    content[-300:-280] = bytes(20)
    (tmp_path / "a.jpg").write_bytes(content)
    cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert "Corrupt JPEG" in capfd.readouterr().err
    for count in (1, 40):
        rows = list(fmnist_cli.classify([tmp_path / "a.jpg"] * count, "cnn"))
        assert len(rows) == count
        sys.stderr.flush()
    assert capfd.readouterr().err == ""
