"""The sorted tree: nothing lost, nothing overwritten, nothing outside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import cv2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import frame

from fmnist_cli.contract import Picture, Prediction, Rejected, Row
from fmnist_cli.errors import UsageError
from fmnist_cli.sinks.base import Sink
from fmnist_cli.sinks.placing import label_folder, places
from fmnist_cli.sinks.tree import Mode, TreeSink
from fmnist_cli.sources.items import FileItem, HeldItem, Item, UnreadableItem

MODES: list[Mode] = ["copy", "link", "move"]


def row_of(path: str, label: str = "Bag") -> Prediction:
    return Prediction(path, 8, label, 0.5, (), "frame")


def sources(folder: Path, paths: Sequence[str]) -> list[Item]:
    """Files of different content and age under `folder`."""
    items: list[Item] = []
    for number, path in enumerate(paths):
        location = folder / path
        location.parent.mkdir(parents=True, exist_ok=True)
        location.write_bytes(b"picture %d" % number)
        os.utime(location, ns=(10**18, 10**18 + number * 1_000_000_007))
        items.append(FileItem(path, str(location)))
    return items


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if not file.is_dir()
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


@pytest.mark.parametrize("mode", MODES)
def test_pictures_lie_under_their_labels(mode: Mode, tmp_path: Path, tree: Path) -> None:
    items = sources(tmp_path / "in", ["a.png", "sub/a.png", "bad.png"])
    rows: list[Row] = [row_of("a.png", "T-shirt/top"), row_of("sub/a.png", "unknown")]
    rows.append(Rejected("bad.png", "damaged image"))
    made = TreeSink(tree, mode)
    sink: Sink = made
    with sink:
        sink.write(rows, items)
    assert contents(tree) == {
        "T-shirt-top/a.png": b"picture 0",
        "unknown/sub/a.png": b"picture 1",
    }
    assert (made.placed, made.left, made.failed) == (2, 1, 0)
    first = tree / "T-shirt-top" / "a.png"
    assert first.stat().st_mtime_ns == 10**18
    assert first.is_symlink() == (mode == "link")
    assert (tmp_path / "in" / "a.png").exists() == (mode != "move")
    assert (tmp_path / "in" / "bad.png").exists()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("done", [0, 1, 3, 5])
def test_a_run_that_ended_early_ends_in_the_same_tree(
    mode: Mode, done: int, tmp_path: Path, tree: Path
) -> None:
    # The first two want the same place; the fourth wants a folder where the third is a file.
    rows = [row_of(path) for path in ("a.png", "a.png", "x", "x/b.png", "c.png")]
    names = ["a.png", "other/a.png", "x", "y/b.png", "c.png"]
    trees = []
    for folder, count in ((tmp_path / "1", 5), (tmp_path / "2", done)):
        items = sources(folder, names)
        sink = TreeSink(folder / "sorted", mode)
        sink.__enter__()  # and never left, as if it had been killed
        sink.write(rows[:count], items[:count])
        (folder / "sorted" / ".fmnist.partial").write_bytes(b"half a pict")
        with TreeSink(folder / "sorted", mode, force=True) as again:
            again.write(rows, items)
        assert (again.placed, again.failed, again.problems) == (5, 0, [])
        trees.append(contents(folder / "sorted"))
    assert trees[0] == trees[1]
    assert sorted(trees[0].values()) == [b"picture %d" % n for n in range(5)]


def test_a_moved_file_that_a_source_no_longer_finds_is_done(tmp_path: Path, tree: Path) -> None:
    items = sources(tmp_path / "in", ["a.png"])
    with TreeSink(tree, "move") as sink:
        sink.write([row_of("a.png")], items)
    gone = [UnreadableItem(path, "it is no longer there") for path in ("a.png", "b.png")]
    with TreeSink(tree, "move", force=True) as again:
        again.write([row_of("a.png"), row_of("b.png")], gone)
    assert (again.placed, again.problems) == (1, [("b.png", "it is no longer there")])


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_file_is_counted_and_named(mode: Mode, tmp_path: Path, tree: Path) -> None:
    with TreeSink(tree, mode) as sink:
        sink.write([row_of("a.png")], [FileItem("a.png", str(tmp_path / "a.png"))])
    assert (sink.placed, sink.failed) == (0, 1)
    assert "1 could not be" in sink.summary()
    assert "a.png: " in sink.summary()
    assert contents(tree) == {}


def test_moving_across_file_systems_copies_first(tmp_path: Path, tree: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    folder = Path(mkdtemp(dir=other))
    try:
        items = sources(folder, ["a.png", "b.png"])
        # As if the earlier run had been killed after copying the first, before removing it.
        (tree / "Bag").mkdir(parents=True)
        (tree / "Bag" / "a.png").write_bytes(b"picture 0")
        with TreeSink(tree, "move", force=True) as sink:
            sink.write([row_of("a.png"), row_of("b.png")], items)
        assert contents(tree) == {"Bag/a.png": b"picture 0", "Bag/b.png": b"picture 1"}
        assert contents(folder) == {}
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_a_link_is_moved_as_the_picture_that_it_shows(tmp_path: Path, tree: Path) -> None:
    sources(tmp_path / "in", ["real.png"])
    link = tmp_path / "in" / "link.png"
    link.symlink_to("real.png")
    with TreeSink(tree, "move") as sink:
        sink.write([row_of("link.png")], [FileItem("link.png", str(link))])
    assert contents(tree) == {"Bag/link.png": b"picture 0"}
    assert not (tree / "Bag" / "link.png").is_symlink()
    assert contents(tmp_path / "in") == {"real.png": b"picture 0"}


def test_pictures_in_archives_are_copied_and_nothing_else(tmp_path: Path, tree: Path) -> None:
    grey = frame()
    items = [HeldItem("a.jpg", b"jpeg", "m"), HeldItem("00001", Picture(grey, True), "m")]
    rows = [row_of("a.jpg"), row_of("00001")]
    with TreeSink(tree, "copy") as sink:
        sink.write(rows, items)
    assert list(contents(tree)) == ["Bag/00001.png", "Bag/a.jpg"]
    assert (cv2.imread(str(tree / "Bag" / "00001.png"), cv2.IMREAD_GRAYSCALE) == grey).all()
    for mode in MODES[1:]:
        with (
            pytest.raises(UsageError, match="only be copied"),
            TreeSink(tmp_path / mode, mode) as s,
        ):
            s.write(rows, items)


def test_a_dry_run_writes_nothing(tmp_path: Path, tree: Path) -> None:
    items = sources(tmp_path / "in", ["a.png", "b.png"])
    lines: list[str] = []
    with TreeSink(tree, "move", dry_run=True, report=lines.append) as sink:
        sink.write([row_of("a.png"), Rejected("b.png", "empty file")], items)
    assert lines == [f"a.png → {tree}/Bag/a.png"]
    assert (sink.placed, sink.left) == (1, 1)
    assert not tree.exists()
    assert len(contents(tmp_path / "in")) == 2


def test_a_folder_in_use_is_refused(tree: Path) -> None:
    tree.mkdir()
    TreeSink(tree, "copy")
    (tree / "letter.txt").touch()
    with pytest.raises(UsageError, match="is not empty"):
        TreeSink(tree, "copy")
    TreeSink(tree, "copy", force=True)
    with pytest.raises(UsageError, match="is a file; name a folder"):
        TreeSink(tree / "letter.txt", "copy", force=True)


LABELS = ["../../x", "/etc", "..", ".", "", "a/../../b", "x\0y", "C:\\x", "a" * 300, "caf\udce9"]
PATHS = ["../../x.png", "/etc/x.png", "..", "", "a//b.png", "./a.png", "a/../../../b.png"]
PATHS += ["x\0y.png", "é" * 200 + ".png", "d" * 300 + "/" + "n" * 300 + ".jpg", "caf\udce9.png"]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("path", ["a.png", "../a.png"])
def test_no_label_leads_out_of_the_tree(label: str, path: str, tmp_path: Path, tree: Path) -> None:
    with TreeSink(tree, "copy") as sink:
        sink.write([row_of(path, label)], [HeldItem(path, b"picture", "m")])
    assert list(contents(tree).values()) == [b"picture"]
    assert list(contents(tmp_path).values()) == [b"picture"]


def test_no_path_leads_out_of_the_tree(tmp_path: Path, tree: Path) -> None:
    with TreeSink(tree, "copy") as sink:
        sink.write(
            [row_of(path) for path in PATHS],
            [HeldItem(p, p.encode("utf-8", "surrogateescape"), "m") for p in PATHS],
        )
    assert sink.problems == []
    assert len(contents(tree)) == len(contents(tmp_path)) == len(PATHS)


def test_links_in_the_tree_are_not_followed(tmp_path: Path, tree: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "Bag").mkdir(parents=True)
    (tree / "Bag" / "sub").symlink_to(outside)
    (tree / "Coat").symlink_to(outside)
    (tree / "Bag" / "a.png").symlink_to(outside / "new.png")
    with TreeSink(tree, "copy", force=True) as sink:
        sink.write([row_of("sub/b.png")], [HeldItem("sub/b.png", b"b", "m")])
        sink.write([row_of("a.png")], [HeldItem("a.png", b"a", "m")])
        with pytest.raises(UsageError, match="Coat is not a folder"):
            sink.write([row_of("c.png", "Coat")], [HeldItem("c.png", b"c", "m")])
    assert list(outside.iterdir()) == []
    assert sink.placed == 2


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("ab./~", max_size=8), st.text("ab./~", max_size=8))
def test_different_paths_have_different_places(one: str, other: str) -> None:
    first, second = next(places(one)), next(places(other))
    assert (first == second) == (one == other)
    for part in first.split("/"):
        assert part not in ("", ".", "..")
        assert len(os.fsencode(part)) <= 255


def test_clean_paths_stay_as_they_are() -> None:
    assert next(places("sub/a b?.png" if os.name != "nt" else "a b.png")).startswith(
        ("sub/", "a b")
    )
    assert label_folder("Ankle boot") == "Ankle boot"
    assert label_folder("T-shirt/top") == "T-shirt-top"
