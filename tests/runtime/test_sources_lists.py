"""Lists of paths, patterns, and what they may leave out."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from packing import as_folder, as_tar, as_zip
from pictures import encoded, frame

from fmnist_cli.errors import ImageError, UsageError
from fmnist_cli.sources import open_sources
from fmnist_cli.sources.items import Selection, Source, everything
from fmnist_cli.sources.listing import ListSource
from fmnist_cli.sources.patterns import make_enters, make_wants

PNG = encoded(frame())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(*names: str) -> None:
    as_folder(dict.fromkeys(names, PNG), Path())


def names(source: Source) -> list[str]:
    return [item.path for item in source]


# Lists.


def test_every_listed_path_has_its_row_in_the_order_of_the_list() -> None:
    fill("b.png", "a.png", "notes", "folder/x.png")
    Path("list").write_bytes(b"b.png\r\n\n./a.png\nnotes\ngone.png\nfolder\nb.png")
    source = open_sources([], listing="list")
    wanted = ["b.png", "./a.png", "notes", "gone.png", "folder", "b.png"]
    assert names(source) == wanted
    assert names(source) == wanted  # a file is read again
    reasons = {}
    for item in source:
        try:
            item.read()
        except ImageError as error:
            reasons[item.path] = str(error)
    assert reasons["gone.png"].endswith("No such file or directory")
    assert "is a folder; name it as an input, not in a list" in reasons["folder"]
    assert len(reasons) == 2


def test_paths_may_hold_anything_when_nul_separates_them() -> None:
    odd = [b"new\nline.png", b"caf\xe9.png", b" .png", b"cr\r"]
    for name in odd:
        Path(os.fsdecode(name)).write_bytes(PNG)
    Path("list").write_bytes(b"\0".join(odd) + b"\0")
    items = list(open_sources([], listing="list", null=True))
    assert [os.fsencode(item.path) for item in items] == odd
    assert [item.read() for item in items] == [PNG] * 4


def test_a_long_list_comes_in_blocks() -> None:
    paths = [f"{i:05d}{'x' * (i % 97)}.png" for i in range(5000)]
    for null, separator in ((True, "\0"), (False, "\r\n")):
        Path("list").write_text(separator.join(paths), newline="")
        assert names(ListSource("list", null=null)) == paths


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("null", [False, True])
def test_lists_in_the_encodings_of_windows(encoding: str, null: bool) -> None:
    paths = [f"ä{i:05d}{'x' * (i % 97)}😀.png" for i in range(2000)]
    text = ("\0" if null else "\r\n").join(paths)
    mark = "\ufeff" if encoding in ("utf-16-be", "utf-16-le") else ""
    Path("list").write_bytes((mark + text).encode(encoding))
    assert names(ListSource("list", null=null)) == paths


class Slow(io.BytesIO):
    """Gives a byte at a time."""

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(min(size or 1, 1))


@pytest.mark.parametrize("text", ["", "a", "a.png\nb.png\n", "ï", "ÿ"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_mark_may_come_in_pieces(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    expected = text.split() if encoding != "latin-1" else os.fsdecode(content).split()
    assert names(ListSource("-", stdin=Slow(content))) == expected


def test_backslashes_stand_for_slashes_where_there_is_no_such_name() -> None:
    fill("folder/x.png", "folder/y\\z.png")
    Path("list").write_bytes(b"folder\\x.png\r\nfolder/y\\z.png\r\n.\\folder\\gone.png\r\n")
    items = list(ListSource("list"))
    assert [item.path for item in items] == [
        "folder\\x.png",
        "folder/y\\z.png",
        ".\\folder\\gone.png",
    ]
    assert [item.read() for item in items[:2]] == [PNG, PNG]
    with pytest.raises(ImageError, match="No such file"):
        items[2].read()


def test_what_is_no_list_is_told() -> None:
    Path("list").write_bytes(b"a.png\0b.png\0")
    with pytest.raises(UsageError, match="add -0"):
        names(ListSource("list"))
    Path("list").write_bytes(b"x" * (1 << 21))
    with pytest.raises(UsageError, match="no list of paths"):
        names(ListSource("list"))
    with pytest.raises(UsageError, match="no file called 'nothing'"):
        open_sources([], listing="nothing")
    with pytest.raises(UsageError, match="cannot read paths from"):
        names(ListSource("."))
    with pytest.raises(UsageError, match="-0 says"):
        open_sources(["."], null=True)
    with pytest.raises(UsageError, match="at least one input"):
        open_sources([])


def test_standard_input_is_read_once() -> None:
    source = ListSource("-", stdin=io.BytesIO(b"b.png\na.png\n"))
    assert names(source) == ["b.png", "a.png"]
    with pytest.raises(UsageError, match="only once"):
        names(source)


def test_paths_on_standard_input_are_an_input_among_others() -> None:
    fill("a/x.png", "b.png")
    code = (
        "from fmnist_cli.sources import open_sources\n"
        "print(*(item.path for item in open_sources(['a', '-'], null=True)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"b.png\0c.png", capture_output=True, check=True
    )
    assert done.stdout.split() == [b"a/x.png", b"b.png", b"c.png"]


def test_a_listed_pipe_does_not_block() -> None:
    os.mkfifo("pipe.png")
    Path("list").write_text("pipe.png")
    (item,) = open_sources([], listing="list")
    assert item.read() == b""


def test_patterns_choose_from_lists_too() -> None:
    Path("list").write_text("../x/a.png\n/y/a.jpg\nb.png\n")
    wants = make_wants(["a.*"], ["y/*"])
    assert names(ListSource("list", selection=Selection(wants=wants))) == ["../x/a.png"]


# Patterns of inputs.


def test_a_pattern_gives_what_a_shell_would() -> None:
    fill("p/a/1.png", "p/a/2.jpg", "p/b/1.png", "p/b/c/1.png", "p/.h/1.png", "p/1.png", "q.png")
    fill("p/b/notes")
    Path("p/b/text").write_text("text")
    for pattern in ("p/*/1.png", "p/?/[0-9].png", "p/**/1.png", "*.png", "./q*", "p/b/*.???"):
        wanted = subprocess.run(
            ["bash", "-O", "globstar", "-c", f"printf '%s\\n' {pattern}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        wanted = sorted((Path(name).as_posix() for name in wanted), key=lambda n: n.split("/"))
        assert names(open_sources([pattern])) == wanted, pattern


def test_matching_folders_and_archives_are_opened() -> None:
    fill("p/a/1.png", "p/a/b/2.png", "q/1.png")
    as_tar({"t.png": PNG, "t.cls": b"1"}, Path("p/s.tar"))
    as_zip({"z.png": PNG}, Path("p/a/z.zip"))
    source = open_sources(["p/*"])
    assert names(source) == ["p/a/1.png", "p/a/b/2.png", "p/s.tar/t.png"]
    assert (source.skipped.count, source.skipped.archives) == (2, 1)
    assert names(open_sources(["p/*"], Selection(recursive=False))) == [
        "p/a/1.png",
        "p/s.tar/t.png",
    ]
    assert names(open_sources(["?", "p/a/*.zip"])) == [
        "p/a/1.png",
        "p/a/b/2.png",
        "q/1.png",
        "p/a/z.zip/z.png",
    ]


def test_a_damaged_archive_among_many_has_its_row() -> None:
    as_zip({"a.png": PNG}, Path("1.zip"))
    as_zip({"a.png": PNG}, Path("2.zip"))
    Path("1.zip").write_bytes(Path("1.zip").read_bytes()[:-9])
    bad, good = open_sources(["*.zip"])
    assert (bad.path, good.path) == ("1.zip", "2.zip/a.png")
    with pytest.raises(ImageError, match="cut off"):
        bad.read()


def test_absolute_patterns(tmp_path: Path) -> None:
    fill("a/1.png", "b/1.png")
    root = tmp_path.as_posix()
    assert names(open_sources([f"{root}/*/1.png"])) == [f"{root}/a/1.png", f"{root}/b/1.png"]


def test_braces_stand_for_inputs_that_must_be_there() -> None:
    fill("a1.png", "a2.png", "b.png")
    assert names(open_sources(["{b,a{1..2}}.png"])) == ["b.png", "a1.png", "a2.png"]
    with pytest.raises(UsageError, match=r"called 'a3\.png'"):
        open_sources(["a{1..3}.png"])
    with pytest.raises(UsageError, match="more than"):
        open_sources(["a{1..9999999}.png"])


def test_a_pattern_without_a_match_is_told() -> None:
    fill("a.png")
    Path("a.txt").write_text("text")
    for pattern in ("*.jpg", "nowhere/*.png", "*.txt", "a.png/*"):
        with pytest.raises(UsageError, match="matches the pattern"):
            open_sources([pattern])


def test_a_name_that_looks_like_a_pattern_is_a_name() -> None:
    fill("[a].png", "a.png", "{b}.png")
    assert names(open_sources(["[a].png", "{b}.png"])) == ["[a].png", "{b}.png"]
    with pytest.raises(UsageError, match="empty"):
        open_sources([""])


# Patterns of what to take.


@pytest.mark.parametrize(
    ("include", "exclude", "path", "wanted"),
    [
        (["*.png"], [], "a/b/c.png", True),
        (["*.png"], [], "c.png", True),
        (["*.png"], [], "c.PNG", False),
        (["*.{png,jpg}"], [], "c.jpg", True),
        (["a/*.png"], [], "a/c.png", True),
        (["a/*.png"], [], "b/a/c.png", False),
        (["a/*.png"], [], "a/b/c.png", False),
        (["a/**/*.png"], [], "a/b/c.png", True),
        (["a/**/*.png"], [], "a/c.png", True),
        (["/c.png"], [], "c.png", True),
        (["/c.png"], [], "a/c.png", False),
        (["a"], [], "a/c.png", False),
        (["a/"], [], "b/a/x/c.png", True),
        (["[ab]?.png"], [], "a1.png", True),
        (["*.png"], [], "new\nline\udce9.png", True),
        ([], ["*.png"], "a/c.png", False),
        ([], ["*.png"], "a/c.jpg", True),
        ([], ["thumbs"], "a/thumbs/x/c.png", False),
        ([], ["thumbs"], "a/thumbs.png", True),
        ([], ["thumbs/"], "thumbs", True),
        ([], ["thumbs/"], "thumbs/c.png", False),
        ([], ["a/b"], "a/b/c.png", False),
        ([], ["a/b"], "x/a/b/c.png", True),
        (["*.png"], ["a*"], "abc.png", False),
        (["*.png"], ["a*"], "b.png", True),
    ],
)
def test_patterns(include: list[str], exclude: list[str], path: str, wanted: bool) -> None:
    wants = pickle.loads(pickle.dumps(make_wants(include, exclude)))  # noqa: S301
    assert wants(path) is wanted


def test_no_pattern_wants_everything() -> None:
    assert make_wants([], []) is everything
    assert make_enters([]) is everything
    for pattern in ("", "/"):
        with pytest.raises(UsageError, match="is empty"):
            make_wants([pattern])


def test_an_excluded_folder_is_not_even_listed() -> None:
    fill("a/x.png", "thumbs/x.png", "b/thumbs/x.png", "b/y.png")
    asked: list[str] = []
    enters = make_enters(["thumbs"])

    def spy(folder: str) -> bool:
        asked.append(folder)
        return enters(folder)

    selection = Selection(wants=make_wants([], ["thumbs"]), enters=spy)
    assert names(open_sources(["."], selection)) == ["a/x.png", "b/y.png"]
    assert asked == ["a", "b", "b/thumbs", "thumbs"]


def test_what_is_not_wanted_is_not_opened() -> None:
    os.mkfifo("pipe")
    fill("a.png", "bare")
    source = open_sources(["."], Selection(wants=make_wants(["a*"])))
    assert names(source) == ["a.png"]
    assert source.skipped.count == 0


def test_folders_below_are_left_when_not_recursive() -> None:
    fill("a.png", "b/c.png")
    assert names(open_sources(["."], Selection(recursive=False))) == ["a.png"]
