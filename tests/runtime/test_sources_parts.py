"""Shares and limits, the inventory, kinds of files, sorting, and the items themselves."""

from __future__ import annotations

import os
import pickle
import random
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing import as_folder, as_parquet, as_tar, as_zip, tar_bytes
from pictures import encoded, frame
from PIL import Image

from fmnist_cli.cli.inventory import inventory
from fmnist_cli.contract import Picture
from fmnist_cli.errors import DataError, ImageError, UsageError
from fmnist_cli.sources import open_sources, share_of
from fmnist_cli.sources.folder import in_order
from fmnist_cli.sources.items import HEAD, FileItem, HeldItem, Skipped, UnreadableItem, read_file
from fmnist_cli.sources.kinds import has_image_suffix, is_archive, kind_of, looks_like_image

PNG = encoded(frame())


# Shares and limits.


def test_shares_are_disjoint_whole_and_do_not_depend_on_the_rest(tmp_path: Path) -> None:
    files = {f"{i:03d}.png": PNG for i in range(100)}
    as_folder(files, tmp_path)
    shares = [
        [item.path for item in open_sources([tmp_path], shard=(index, 3))] for index in (1, 2, 3)
    ]
    assert sorted(chain.from_iterable(shares)) == sorted(files)
    assert all(share == sorted(share) and len(share) > 15 for share in shares)
    for name in list(files)[::2]:
        (tmp_path / name).unlink()
    for index, share in enumerate(shares, 1):
        left = [item.path for item in open_sources([tmp_path], shard=(index, 3))]
        assert left == [name for name in share if (tmp_path / name).exists()]


def test_a_share_is_the_same_on_every_machine() -> None:
    assert [share_of(path, 100) for path in ("a.png", "b/\u65e5.png", "caf\udce9.png")] == [
        48,
        38,
        87,
    ]


def test_the_limit_counts_after_sharing(tmp_path: Path) -> None:
    as_folder({f"{i:03d}.png": PNG for i in range(30)}, tmp_path)
    (tmp_path / "zzz.txt").write_text("text")
    whole = [item.path for item in open_sources([tmp_path], shard=(2, 2))]
    source = open_sources([tmp_path], shard=(2, 2), limit=4)
    assert [item.path for item in source] == whole[:4]
    assert [item.path for item in source] == whole[:4]
    assert source.skipped.count == 0  # not that far
    assert len(list(open_sources([tmp_path], limit=99))) == 30
    assert list(open_sources([tmp_path], limit=0)) == []


@pytest.mark.parametrize("shard", [(0, 3), (4, 3), (1, 0)])
def test_a_share_that_is_not_there_is_told(tmp_path: Path, shard: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="no share"):
        open_sources([tmp_path], shard=shard)
    with pytest.raises(UsageError, match="negative"):
        open_sources([tmp_path], limit=-1)


# The inventory.


def test_an_inventory_counts_by_content(tmp_path: Path) -> None:
    jpeg = encoded(frame(), "JPEG")
    files = {"a.png": PNG, "b.png": jpeg, "c": jpeg, "d.jpg": b"", "e.png": b"text", "f.txt": b""}
    as_folder(files, tmp_path / "x")
    as_zip(files, tmp_path / "x" / "z.zip")
    (tmp_path / "x" / "g.png").symlink_to("nowhere")
    found = inventory(open_sources([tmp_path / "x"]))
    assert {kind: (a.count, a.size) for kind, a in found.kinds.items()} == {
        "PNG": (1, len(PNG)),
        "JPEG": (2, 2 * len(jpeg)),
        "empty": (1, 0),
        "other": (1, 4),
    }
    assert found.unreadable == 1
    assert found.reasons == [("g.png", "cannot read the file: No such file or directory")]
    assert (found.total, found.skipped.count, found.skipped.archives) == (6, 2, 1)
    for packed in (as_zip(files, tmp_path / "a.zip"), as_tar(files, tmp_path / "a.tar.gz")):
        inside = inventory(open_sources([packed]))
        assert inside.kinds == found.kinds
        assert inside.size == found.size
    table = inventory(open_sources([as_parquet({"a": PNG}, tmp_path / "p")]))
    assert (table.total, table.size) == (1, len(PNG))


def test_the_inventory_of_pixels_and_of_many_reasons() -> None:
    class Fake:
        skipped = Skipped()

        def __iter__(self) -> object:
            yield HeldItem("p", Picture(frame(), colorless=True))
            yield from (UnreadableItem(str(i), "why") for i in range(20))

    found = inventory(Fake())  # type: ignore[arg-type]
    assert found.kinds["pixels"].size == 28 * 28
    assert (found.unreadable, len(found.reasons), found.total) == (20, 5, 21)


# Kinds.


@pytest.mark.parametrize(
    ("form", "kind"),
    [("PNG", "PNG"), ("JPEG", "JPEG"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"),
     ("WEBP", "WebP"), ("PPM", "Netpbm"), ("AVIF", "AVIF")],
)  # fmt: skip
def test_pictures_are_known_by_their_first_bytes(form: str, kind: str) -> None:
    try:
        data = encoded(Image.fromarray(np.full((40, 40), 7, np.uint8)), form)
    except (KeyError, OSError):
        pytest.skip("this Pillow does not write it")
    assert kind_of(data[:32]) == kind
    assert looks_like_image(data[:32]) is (kind != "Netpbm")


def test_other_kinds() -> None:
    old = bytearray(tar_bytes({"x": b""})[:512])  # without the mark of newer archives
    old[148:156], old[257:265] = b" " * 8, bytes(8)
    old[148:156] = f"{sum(old):06o}\0 ".encode()
    for head, kind in (
        (b"", "empty"),
        (b"BMs are big", "other"),
        (b"P5 is a text", "Netpbm"),
        (b"PK\3\4", "zip"),
        (b"\0\0\x08\x03" + bytes(12), "IDX"),
        (b"\0\0\1\0\1\0" + bytes(12), "ICO"),  # and not IDX
        (bytes(old), "tar"),
        (tar_bytes({"x": b""})[:512], "tar"),
        (bytes(512), "other"),
        (b"x" * 512, "other"),
    ):
        assert kind_of(head) == kind
        assert not looks_like_image(head)
    assert has_image_suffix("a/b.JPeG")
    assert not has_image_suffix("a.png/b")
    assert is_archive("a.TAR.GZ", b"\x1f\x8b")
    assert not is_archive("notes.txt", b"\x1f\x8b")


# Sorting.


NAMES = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=6)


@given(
    st.lists(
        NAMES
        | st.binary(min_size=1, max_size=4).map(
            lambda raw: raw.replace(b"/", b"x").decode("utf-8", "surrogateescape")
        )
    )
)
def test_runs_are_merged_in_the_order_of_sorted(names: list[str]) -> None:
    assert list(in_order(names, run=3)) == sorted(names)


def test_names_longer_than_a_block_are_merged() -> None:
    names = [f"{i}" * (i % 700 * 40 + 1) for i in random.Random(0).sample(range(400), 400)]
    assert list(in_order(names, run=50)) == sorted(names)


def test_a_large_folder_is_sorted_by_name(tmp_path: Path) -> None:
    wanted = [f"{i}.png" for i in range(20)] + ["a/x.png", "a.png", "new\nline.png"]
    as_folder(dict.fromkeys(wanted, b""), tmp_path)
    folder = open_sources([tmp_path])
    assert [item.path for item in folder] == sorted(wanted, key=lambda name: name.split("/"))


def test_no_room_for_the_temporary_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="TMPDIR"):
        list(in_order(map(str, range(10)), run=3, folder=str(tmp_path / "nowhere")))


# Items.


def test_items_say_what_they_hold() -> None:
    held = HeldItem("a", PNG)
    assert (held.held, held.size(), held.head(), held.location) == (len(PNG),) * 2 + (
        PNG[:HEAD],
        None,
    )
    assert held.signature() != HeldItem("a", PNG[:-1] + b"x").signature()
    assert HeldItem("a", PNG, "mark").signature() == "mark"
    picture = HeldItem("a", Picture(frame(), colorless=True))
    assert (picture.held, picture.head()) == (784, b"")
    with pytest.raises(ImageError, match="at most 783"):
        picture.read(783)
    for item in (held, UnreadableItem("a", "why"), FileItem("a", "b/a")):
        assert pickle.loads(pickle.dumps(item)) == item  # noqa: S301
    bad = UnreadableItem("a", "why")
    assert (bad.held, bad.size(), bad.location, bad.signature()) == (0, None, None, "why")
    for call in (bad.read, bad.head):
        with pytest.raises(ImageError, match="why"):
            call()


def test_files_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(PNG)
    item = FileItem("a", str(path))
    assert (item.read(), item.head(), item.size()) == (PNG, PNG[:HEAD], len(PNG))
    before = item.signature()
    os.utime(path, ns=(0, 0))
    assert item.signature() == before  # of what was read
    assert FileItem("a", str(path)).signature() != before
    with pytest.raises(ImageError, match=f"too large: {len(PNG)} bytes, at most 10; see"):
        item.read(10)
    gone = FileItem("b", str(tmp_path / "b"))
    assert gone.size() is None
    assert "No such file" in gone.signature()
    for location in (str(tmp_path / "b"), "nul\0name"):
        with pytest.raises(ImageError, match="cannot read the file"):
            read_file(location)


def test_a_file_without_an_end_is_too_large() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /dev/zero")
    with pytest.raises(ImageError, match="too large"):
        read_file("/dev/zero", 1_000_000)


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, PNG)
    os.close(writing)
    try:
        assert read_file(f"/dev/fd/{reading}") == PNG
    finally:
        os.close(reading)
