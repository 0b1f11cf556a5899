from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pictures import encoded, frame
from process import drop_root_powers

from fmnist_cli.errors import ImageError, UsageError
from fmnist_cli.sources import open_source, open_sources
from fmnist_cli.sources.items import Source

PNG = encoded(frame())


def names(source: Source) -> list[str]:
    return [item.path for item in source]


def fill(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(PNG)
    return folder


def reasons(source: Source) -> dict[str, str]:
    """The reason of each item that cannot be read."""
    found = {}
    for item in source:
        try:
            item.read()
        except ImageError as error:
            found[item.path] = str(error)
    return found


def test_the_order_is_that_of_the_names_and_stable(tmp_path: Path) -> None:
    wanted = ["10.png", "2.png", "B.png", "a/1.png", "a/b/x.png", "a/z.png", "a.png", "é.png"]
    fill(tmp_path, *reversed(wanted))
    source = open_source(tmp_path)
    assert names(source) == wanted
    assert names(source) == names(open_source(tmp_path))


def test_items_hold_the_bytes_of_their_files(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b/c.JPG")
    assert [item.read() for item in open_source(tmp_path)] == [PNG, PNG]


def test_any_name_goes_through_unchanged(tmp_path: Path) -> None:
    odd = ["white space.png", "new\nline.png", "日本.png", "tab\t.png", "[red].png", "🥾.png"]
    fill(tmp_path, *odd)
    assert sorted(names(open_source(tmp_path))) == sorted(odd)


def test_a_name_in_another_encoding_finds_its_file_again(tmp_path: Path) -> None:
    raw = b"caf\xe9.png"
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_bytes(PNG)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (item,) = open_source(tmp_path)
    assert os.fsencode(item.path) == raw
    assert item.read() == PNG


def test_hidden_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    source = open_source(fill(tmp_path, ".hidden.png", ".git/a.png", "._a.png", "a.png"))
    assert names(source) == ["a.png"]
    assert source.skipped.count == 0


def test_other_files_are_counted_and_pictures_known_by_content(tmp_path: Path) -> None:
    fill(tmp_path, "bare", "picture.dat")
    for name in ("notes.txt", "README", "empty"):
        (tmp_path / name).write_text("BMs are big" if name == "README" else "")
    (tmp_path / "not really.png").write_text("a text")
    source = open_source(tmp_path)
    assert names(source) == ["bare", "not really.png", "picture.dat"]
    assert source.skipped.count == 3
    list(source)
    assert source.skipped.count == 3  # of one walk, not of all


def test_a_folder_called_like_a_picture_is_a_folder(tmp_path: Path) -> None:
    assert names(open_source(fill(tmp_path, "x.png/y.png"))) == ["x.png/y.png"]


DEEP = """
import sys
from pathlib import Path
from fmnist_cli.sources import open_source
sys.setrecursionlimit(100)
print(*(item.path.rpartition("/")[2] for item in open_source(Path(sys.argv[1]))))
"""


def test_folders_may_be_nested_deeper_than_the_interpreter_recurses(tmp_path: Path) -> None:
    # A low limit instead of a thousand folders, which pytest could not remove again.
    fill(tmp_path, "a.png", "d/" * 300 + "b.png", "z.png")
    done = subprocess.run(
        [sys.executable, "-c", DEEP, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["a.png", "b.png", "z.png"]


@pytest.fixture
def link(tmp_path: Path) -> Callable[[str, str], None]:
    """Makes the link named first point to the second."""

    def make(name: str, target: str) -> None:
        try:
            (tmp_path / name).symlink_to(target)
        except OSError:
            pytest.skip("no symbolic links here")

    return make


Link = Callable[[str, str], None]


def test_a_loop_of_folders_ends(tmp_path: Path, link: Link) -> None:
    fill(tmp_path, "a/b/x.png")
    link("a/up", "..")
    link("a/b/here", ".")
    assert names(open_source(tmp_path)) == ["a/b/x.png"]


def test_links_to_pictures_and_folders_are_followed(tmp_path: Path, link: Link) -> None:
    fill(tmp_path, "a/x.png")
    link("b", "a")
    link("c.png", "a/x.png")
    assert names(open_source(tmp_path)) == ["a/x.png", "b/x.png", "c.png"]


def test_a_link_to_nothing_or_itself_is_a_picture_that_cannot_be_read(
    tmp_path: Path, link: Link
) -> None:
    link("gone.png", "nowhere")
    link("itself.png", "itself.png")
    link("gone", "nowhere")
    link("itself", "itself")
    fill(tmp_path, "z.png")
    source = open_source(tmp_path)
    assert names(source) == ["gone.png", "itself.png", "z.png"]
    assert source.skipped.count == 2
    found = reasons(source)
    assert "No such file" in found["gone.png"]
    assert found["itself.png"].startswith("cannot read the file: ")


def test_pipes_do_not_block(tmp_path: Path, link: Link) -> None:
    fill(tmp_path, "z.png")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    link("linked.png", "pipe.png")
    source = open_source(tmp_path)
    assert [item.read() for item in source] == [PNG]
    assert source.skipped.count == 3


def test_a_folder_that_vanishes_on_the_way_has_its_row(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b/x.png", "c.png")
    walk = iter(open_source(tmp_path))
    assert next(walk).path == "a.png"
    (tmp_path / "b" / "x.png").unlink()
    (tmp_path / "b").rmdir()
    (tmp_path / "c.png").unlink()
    rest = list(walk)
    assert [item.path for item in rest] == ["b", "c.png"]
    with pytest.raises(ImageError, match="cannot list the folder: No such file"):
        rest[0].read()
    with pytest.raises(ImageError, match="cannot read the file: No such file"):
        rest[1].read()


# Permissions. They do not bind root, so a process of its own gives that power up first.

REPORT = """
import json, sys
from pathlib import Path
from fmnist_cli.errors import ImageError
from fmnist_cli.sources import open_sources
rows = []
for item in open_sources([Path(sys.argv[1])]):
    try:
        rows.append([item.path, len(item.read())])
    except ImageError as error:
        rows.append([item.path, str(error)])
print(json.dumps(rows))
"""


def test_what_may_not_be_read_has_its_row(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux permissions")
    fill(tmp_path, "a.png", "closed.png", "closed", "folder/x.png", "maybe", "shut/x.png", "z.png")
    (tmp_path / "link.png").symlink_to("shut/x.png")
    locked = [tmp_path / name for name in ("closed.png", "closed", "folder", "shut")]
    for path in locked:
        path.chmod(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", REPORT, str(tmp_path)],
            capture_output=True,
            text=True,
            preexec_fn=drop_root_powers,
            check=True,
        )
    finally:
        for path in locked:
            path.chmod(0o700)
    rows = dict(json.loads(done.stdout))
    if isinstance(rows["closed.png"], int):
        pytest.skip("this user reads files without permission, and cannot give that up")
    size = len(PNG)
    assert rows == {
        "a.png": size,
        "closed": "cannot read the file: Permission denied",
        "closed.png": "cannot read the file: Permission denied",
        "folder": "cannot list the folder: Permission denied",
        "link.png": "cannot read the file: Permission denied",
        "maybe": size,
        "shut": "cannot list the folder: Permission denied",
        "z.png": size,
    }


# Several inputs.


def test_names_are_relative_to_a_single_folder(tmp_path: Path) -> None:
    assert names(open_sources([fill(tmp_path, "a/x.png")])) == ["a/x.png"]


def test_several_inputs_are_prefixed_and_unique(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fill(tmp_path, "a/x.png", "b/x.png", "x.png"))
    (tmp_path / "b" / "notes.txt").touch()
    inputs = [Path(name) for name in ("b", "a/", "x.png", "a", "./x.png")]
    source = open_sources(inputs)
    assert names(source) == ["b/x.png", "a/x.png", "x.png"]
    assert source.skipped.count == 1


def test_one_folder_named_twice_is_one_folder(tmp_path: Path) -> None:
    fill(tmp_path, "x.png")
    assert names(open_sources([tmp_path, tmp_path])) == ["x.png"]


def test_a_file_named_by_the_user_has_its_row_whatever_it_is(tmp_path: Path) -> None:
    text = tmp_path / ".notes.txt"
    text.write_text("hello")
    (item,) = open_sources([text])
    assert item.path == text.as_posix()
    assert item.read() == b"hello"


def test_a_missing_input_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file or folder called '.*nowhere'"):
        open_sources([fill(tmp_path, "x.png"), tmp_path / "nowhere"])


def test_large_folders_are_walked_as_they_are_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{folder}/{index}.png" for folder in "ab" for index in range(3)))
    walk = iter(open_source(tmp_path))
    assert next(walk).path == "a/0.png"
    fill(tmp_path, "b/late.png")  # b has not been listed yet
    assert [item.path for item in walk][-1] == "b/late.png"
