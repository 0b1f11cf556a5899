"""`fmnist classify` as a user meets it: a process with exit code, output and messages."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pictures import encoded, frame, smooth
from process import RunFmnist, command, environment, heed_interrupts

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import EXIT_INTERRUPTED, EXIT_REJECTED

Classify = Callable[..., Any]


@pytest.fixture
def classify(run_fmnist: RunFmnist, exported_dir: Path) -> Classify:
    """`fmnist classify ARGUMENT…` with the tiny model."""

    def run(*arguments: str | Path, **options: Any) -> Any:
        model = ("--model", "cnn", "--models-dir", exported_dir)
        return run_fmnist("classify", *arguments, *model, **options)

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with three good pictures and a note."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(encoded(frame(1)))
    (folder / "b.jpg").write_bytes(encoded(smooth(60, 90, 3), "JPEG"))
    (folder / "sub" / "c.png").write_bytes(encoded(smooth(90, 60, 3, seed=2)))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_good_pictures_go_to_stdout_and_words_to_stderr(classify: Classify, pictures: Path) -> None:
    done = classify(pictures)
    assert done.code == 0
    rows = rows_of(done.stdout)
    assert [row["path"] for row in rows] == ["a.png", "b.jpg", "sub/c.png"]
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["label"] for row in rows} <= set(CLASS_NAMES)
    assert [row["prepared"] for row in rows] == ["frame", "product", "product"]
    assert [len(row["top"]) for row in rows] == [3, 3, 3]
    assert "3 labelled, 1 other file skipped" in done.stderr
    assert "· cnn\n" in done.stderr  # its test accuracy says nothing of these
    done = classify(pictures / "a.png")
    assert "cnn, test accuracy 12.50% on Fashion-MNIST" in done.stderr


def test_a_bad_folder_loses_nothing(classify: Classify, pictures: Path) -> None:
    (pictures / "text.png").write_text("hello")
    (pictures / "empty.jpg").touch()
    (pictures / "cut.jpg").write_bytes(encoded(smooth(90, 60, 3), "JPEG")[:-200])
    (pictures / "damaged.jpg").write_bytes(noisy_jpeg())
    (pictures / "x.png").mkdir()
    (pictures / "x.png" / "日本 [red].png").write_bytes(encoded(frame(2)))
    closed = pictures / "closed.png"
    closed.write_bytes(encoded(frame(3)))
    closed.chmod(0)
    try:
        done = classify(pictures, bound_by_permissions=True)
    finally:
        closed.chmod(0o600)
    rows = {row["path"]: row for row in rows_of(done.stdout)}
    if rows["closed.png"]["status"] == "ok":
        pytest.skip("this user reads files without permission, and cannot give that up")
    assert done.code == EXIT_REJECTED
    assert list(rows) == sorted(rows)
    good = {"a.png", "b.jpg", "damaged.jpg", "sub/c.png", "x.png/日本 [red].png"}
    assert {path for path, row in rows.items() if row["label"]} == good
    errors = {path: row["error"] for path, row in rows.items() if row["status"] == "error"}
    assert errors == {
        "text.png": "not an image, or of a kind that is not supported",
        "empty.jpg": "empty file",
        "cut.jpg": errors["cut.jpg"],
        "closed.png": "cannot read the file: Permission denied",
    }
    assert errors["cut.jpg"].startswith("damaged image: image file is truncated")
    assert "4 rejected" in done.stderr
    assert "rejected empty.jpg: empty file" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Corrupt JPEG" not in done.stderr  # what C libraries say names no file


def noisy_jpeg() -> bytes:
    """A JPEG with bits flipped in its middle: libjpeg complains and goes on."""
    data = bytearray(encoded(smooth(200, 200, 3, seed=5), "JPEG", quality=95))
    for position in range(len(data) - 120, len(data) - 40, 7):
        data[position] = 0x5A
    return bytes(data)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.txt", "rows"])
def test_the_format_follows_the_name_of_the_output(
    classify: Classify, pictures: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    done = classify(pictures, "-o", target, "--top-k", "2", "--workers", "1")
    assert (done.code, done.stdout) == (0, "")
    assert f"rows in {target}" in done.stderr
    text = target.read_text(encoding="utf-8")
    if name.endswith(".csv"):
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [row["path"] for row in rows] == ["a.png", "b.jpg", "sub/c.png"]
        assert "probability_2" in rows[0]
        assert "probability_3" not in rows[0]
    elif name.endswith(".txt"):
        assert text.splitlines()[0].endswith("%)")
    else:
        assert [len(row["top"]) for row in rows_of(text)] == [2, 2, 2]
    names = ["pictures", name, f"{name}.run.json", f"{name}.run.inputs"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_suffix_of_another_format_is_not_filled_with_json(
    classify: Classify, pictures: Path, tmp_path: Path
) -> None:
    done = classify(pictures, "-o", tmp_path / "rows.xlsx")
    assert done.code == 2
    assert "use one of .jsonl, .excel.csv, .csv, .txt, .parquet" in done.stderr
    assert not list(tmp_path.glob("rows*"))


def test_quiet_says_nothing(classify: Classify, pictures: Path) -> None:
    done = classify(pictures, "--quiet", "--format", "text", "--top-k", "99")
    assert (done.code, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3


def test_an_empty_folder_is_told(classify: Classify, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    target = tmp_path.parent / "rows.jsonl"
    done = classify(tmp_path, "-o", target)
    assert (done.code, done.stdout) == (1, "")
    assert f"no pictures found in {tmp_path} (1 other file skipped: 1 .txt)." in done.stderr
    assert not list(tmp_path.parent.glob("rows*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "error: there is no file or folder called 'nowhere'"),
        ([], 2, "nothing to classify: name a folder"),
        (["PICTURES", "--format", "xml"], 2, "'xml' cannot be written here; choose from jsonl"),
        (["PICTURES", "--shard", "5/4"], 2, "--shard '5/4' is no part; give I/N"),
        (["PICTURES", "--max-bytes", "much"], 2, "--max-bytes 'much' is no size"),
        (["PICTURES", "--move"], 2, "--move say how --sort-into works"),
        (["PICTURES", "--resume"], 2, "need an output in a file; use -o FILE"),
        (["PICTURES", "--sort-into", "PICTURES/in"], 2, "lies in the input"),
        (["PICTURES", "--provider", "abacus"], 2, "choose from cpu, cuda"),
        (["PICTURES", "--provider", "openvino"], 2, "the installed onnxruntime has only cpu"),
        (["nothing-*.png"], 2, "nothing-*.png"),
        (["PICTURES", "--prepare", "magic"], 2, "choose from auto, frame, product"),
        (["PICTURES", "-o", "nowhere/rows.csv"], 2, "cannot write"),
        (["PICTURES", "--model", "vit"], 2, "there is no model called 'vit'"),
        (["PICTURES", "--embeddings"], 2, "--embeddings go into Parquet only"),
        (["PICTURES", "--embeddings", "-o", "x.parquet"], 2, "cnn has none"),
        (["PICTURES", "--model", "nowhere.onnx"], 1, "cannot read the model nowhere.onnx"),
        (["PICTURES", "--models-dir", "nowhere"], 1, "no manifest.json in nowhere"),
    ],
    ids=lambda value: " ".join(value)[:24] if isinstance(value, list) else "",
)
def test_impossible_wishes_have_their_code_and_a_message(
    run_fmnist: RunFmnist,
    exported_dir: Path,
    pictures: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    given = [argument.replace("PICTURES", str(pictures)) for argument in arguments]
    for option, value in (("--model", "cnn"), ("--models-dir", str(exported_dir))):
        if option not in given:
            given += [option, value]
    done = run_fmnist("classify", *given)
    assert done.code == code
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


# Ended from outside.


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder with more rows than a pipe holds."""
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "0.png").write_bytes(encoded(frame(1)))
    for index in range(1, 400):
        os.link(folder / "0.png", folder / f"{index}.png")
    return folder


@pytest.fixture
def start(exported_dir: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str | Path) -> subprocess.Popen[str]:
        model = ("--model", "cnn", "--models-dir", exported_dir)
        process = subprocess.Popen(
            command("classify", *arguments, *model),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment(tmp_path),
            preexec_fn=heed_interrupts,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


Start = Callable[..., subprocess.Popen[str]]


def test_a_reader_that_leaves_is_no_accident(start: Start, many: Path) -> None:
    process = start(many, "--batch-size", "8", "--quiet")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["path"] == "0.png"
    process.stdout.close()
    messages = process.stderr.read()
    assert process.wait(60) == -signal.SIGPIPE
    assert messages == ""


def test_an_interruption_keeps_whole_rows(start: Start, many: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    target.write_text("of last time")
    partial = tmp_path / "rows.jsonl.partial"
    endless = tmp_path / "endless"
    os.mkfifo(endless)  # nobody writes: the run cannot come to its end by itself
    process = start(many, endless, "-o", target, "--batch-size", "8", "--workers", "1")
    wait_until(lambda: partial.exists() and partial.stat().st_size > 0, process)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: process.poll() is not None or not release(endless), process, alive=False)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED
    text = partial.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    rows = rows_of(text)
    assert [Path(row["path"]).name for row in rows] == sorted(p.name for p in many.iterdir())[
        : len(rows)
    ]
    assert f"interrupted after {len(rows)} pictures; go on with --resume" in messages
    assert "Traceback" not in messages
    assert target.read_text() == "of last time"


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str], *, alive: bool = True
) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert not alive or process.poll() is None, "the process ended too early"
        time.sleep(0.01)


def release(fifo: Path) -> bool:
    """End the read of a thread that waits at the pipe, if one does; always true."""
    with suppress(OSError):
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    return True
