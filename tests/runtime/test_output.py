from __future__ import annotations

import os
from pathlib import Path

import pytest

from fmnist_cli.errors import UsageError
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.sinks.outputs import Outputs, Wanted, is_stream, open_stream
from fmnist_cli.store import open_store


def outputs(*names: str | Path, **wanted: str) -> Outputs:
    return Outputs.of(Wanted(outputs=tuple(map(str, names)), **wanted), Settings(), [])  # type: ignore[arg-type]


def test_standard_output_is_utf_8_with_plain_newlines(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    with open_stream(None) as stream:
        stream.write("é\n".encode())
    assert capfdbinary.readouterr().out == "é\n".encode()


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    try:
        os.mkfifo(pipe)
    except (AttributeError, OSError):
        pytest.skip("this system has no named pipes")
    assert is_stream(pipe)
    assert outputs(pipe).stream == (pipe, "jsonl")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_stream(pipe) as stream:
            stream.write(b"row\n")
        assert os.read(reader, 100) == b"row\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_behind_a_link_lies_the_file_that_is_meant(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to("target.csv")
    assert outputs(link).files == {tmp_path.resolve() / "target.csv": "csv"}


@pytest.mark.parametrize(
    ("name", "format_", "expected"),
    [
        ("rows.jsonl", None, "jsonl"),
        ("rows.CSV", None, "csv"),
        ("rows.txt", None, "text"),
        ("rows.parquet", "csv", "parquet"),
        ("rows", None, "jsonl"),
        ("rows", "csv", "csv"),
        ("rows.html", None, "page"),
    ],
)
def test_the_suffix_decides_before_the_option(
    tmp_path: Path, name: str, format_: str | None, expected: str
) -> None:
    found = outputs(tmp_path / name, **({"format": format_} if format_ else {}))
    assert list(found.files.values()) == [expected]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv", "rows/"], "does not go with another output"),
        (["nowhere/rows.csv"], "no folder"),
        (["rows.xlsx"], "no kind of output ends in"),
        (["a.csv", "./a.csv"], "given twice"),
    ],
)
def test_impossible_outputs(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        outputs(*(f"{tmp_path}/{name}" for name in names))


def test_a_folder_takes_parts(tmp_path: Path) -> None:
    assert outputs(tmp_path).folder == open_store(tmp_path.resolve())
    assert outputs(f"{tmp_path}/new/").folder == open_store(tmp_path.resolve() / "new")
    with pytest.raises(UsageError, match="is empty"):
        outputs("")


def test_only_one_output_can_be_a_stream(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    try:
        os.mkfifo(pipe)
    except (AttributeError, OSError):
        pytest.skip("this system has no named pipes")
    with pytest.raises(UsageError, match="only one output can be standard output"):
        outputs("-", pipe)
