from __future__ import annotations

import os
from pathlib import Path

import pytest

from fmnist_cli.errors import UsageError
from fmnist_cli.runtime.output import open_output, partial_path


def test_the_target_is_untouched_until_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    target.write_text("of last time")
    with open_output(target) as stream:
        stream.write("é\n")
        assert target.read_text() == "of last time"
        assert partial_path(target).exists()
    assert target.read_bytes() == "é\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_keeps_the_rows_so_far_beside_the_target(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    target = tmp_path / "rows.jsonl"
    target.write_text("of last time")

    def work() -> None:
        with open_output(target) as stream:
            stream.write("one\n")
            raise interruption

    with pytest.raises(interruption):
        work()
    assert target.read_text() == "of last time"
    assert partial_path(target).read_text() == "one\n"
    with open_output(target) as stream:
        stream.write("new\n")
    assert target.read_text() == "new\n"
    assert not partial_path(target).exists()


def test_standard_output_is_utf_8_with_plain_newlines(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    with open_output(None) as stream:
        stream.write("é\n")
    assert capfdbinary.readouterr().out == "é\n".encode()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"), open_output(tmp_path):
        pass
    missing = tmp_path / "nowhere" / "rows.csv"
    with (
        pytest.raises(UsageError, match=r"cannot write .*nowhere.*No such file"),
        open_output(missing),
    ):
        pass


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    try:
        os.mkfifo(pipe)
    except (AttributeError, OSError):
        pytest.skip("this system has no named pipes")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_output(pipe) as stream:
            stream.write("row\n")
        assert os.read(reader, 100) == b"row\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert not list(tmp_path.glob("*.partial"))


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to("target.jsonl")
    with open_output(link) as stream:
        stream.write("row\n")
    assert link.is_symlink()
    assert (tmp_path / "target.jsonl").read_text() == "row\n"
