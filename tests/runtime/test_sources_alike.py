"""The same files give the same items, whatever they are packed in."""

from __future__ import annotations

import pickle
import tarfile
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packing import as_folder, as_parquet, as_tar, as_zip
from pictures import encoded, frame

from fmnist_cli.errors import ImageError
from fmnist_cli.sources import open_source, open_sources
from fmnist_cli.sources.items import HEAD, Source

PICTURES = {f"{folder}{i}.png": encoded(frame(i)) for folder in ("", "a/", "a/b/") for i in (0, 1)}
PICTURES |= {"bare": encoded(frame(7)), "damaged.jpg": b"no picture"}
OTHERS = {"a/notes.txt": b"text", ".hidden.png": PICTURES["0.png"], ".git/x.png": b"", "empty": b""}


def contents(source: Source) -> list[tuple[str, object]]:
    return [(item.path, item.read()) for item in source]


def in_walking_order(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: files[name] for name in sorted(files, key=lambda name: name.split("/"))}


KINDS = {
    "folder": lambda files, root: as_folder(files, root / "folder"),
    "deflated": lambda files, root: as_zip(files, root / "deflated.zip"),
    "stored": lambda files, root: as_zip(files, root / "stored.zip", zipfile.ZIP_STORED),
    "bzip2": lambda files, root: as_zip(files, root / "bzip2.zip", zipfile.ZIP_BZIP2),
    "lzma": lambda files, root: as_zip(files, root / "lzma.zip", zipfile.ZIP_LZMA),
    "pax": lambda files, root: as_tar(files, root / "a.tar"),
    "gnu": lambda files, root: as_tar(files, root / "a.tar", tarfile.GNU_FORMAT),
    "ustar": lambda files, root: as_tar(files, root / "a.tar", tarfile.USTAR_FORMAT),
    "tar.gz": lambda files, root: as_tar(files, root / "a.tar.gz"),
    "tar.bz2": lambda files, root: as_tar(files, root / "a.tar.bz2"),
    "tar.xz": lambda files, root: as_tar(files, root / "a.tar.xz"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_files_are_the_same_items(tmp_path: Path, kind: str) -> None:
    source = open_source(KINDS[kind](in_walking_order(PICTURES | OTHERS), tmp_path))
    assert contents(source) == list(in_walking_order(PICTURES).items())
    assert source.skipped.count == 2
    assert contents(source) == list(in_walking_order(PICTURES).items())
    assert source.skipped.count == 2  # of one walk, not of all


def test_the_same_files_in_parquet(tmp_path: Path) -> None:
    source = open_source(as_parquet(in_walking_order(PICTURES), tmp_path / "a.parquet"))
    assert contents(source) == list(in_walking_order(PICTURES).items())


@pytest.mark.parametrize("kind", [*KINDS, "parquet"])
def test_items_travel_and_are_read_by_any_thread(tmp_path: Path, kind: str) -> None:
    files = in_walking_order(PICTURES)
    pack = KINDS.get(kind, lambda files, root: as_parquet(files, root / "a.parquet"))
    items = pickle.loads(pickle.dumps(list(open_source(pack(files, tmp_path)))))  # noqa: S301
    read: list[list[object]] = []
    threads = [
        threading.Thread(target=lambda: read.append([item.read() for item in items]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [list(files.values())] * 4


@pytest.mark.parametrize("kind", [*KINDS, "parquet"])
def test_heads_signatures_and_limits(tmp_path: Path, kind: str) -> None:
    files = in_walking_order(PICTURES)
    pack = KINDS.get(kind, lambda files, root: as_parquet(files, root / "a.parquet"))
    source = open_source(pack(files, tmp_path))
    items = list(source)
    assert [item.head() for item in items] == [content[:HEAD] for content in files.values()]
    assert [item.signature() for item in items] == [item.signature() for item in source]
    longest = max(map(len, files.values()))
    assert len({item.signature() for item in items}) > 1
    for item in items:
        if len(item.read()) == longest:  # type: ignore[arg-type]
            with pytest.raises(ImageError, match="see --max-bytes"):
                item.read(longest - 1)


@pytest.mark.parametrize("kind", ["stored", "pax", "gnu"])
def test_what_is_packed_is_known_by_its_content_not_its_name(tmp_path: Path, kind: str) -> None:
    packed = KINDS[kind](in_walking_order(PICTURES), tmp_path)
    named = packed.rename(tmp_path / "picture.png")
    assert contents(open_source(named)) == list(in_walking_order(PICTURES).items())


def test_several_inputs_name_their_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"x/1.png": PICTURES["0.png"]}
    as_zip(files, tmp_path / "a.zip")
    as_tar(files, tmp_path / "b.tar.gz")
    as_folder(files, tmp_path / "c")
    monkeypatch.chdir(tmp_path)
    source = open_sources(["a.zip", "b.tar.gz", "c/", "c/x/1.png"])
    assert [item.path for item in source] == [
        "a.zip/x/1.png",
        "b.tar.gz/x/1.png",
        "c/x/1.png",
        "c/x/1.png",
    ]


PART = st.text("ab\u00e9 .\n#\u65e5", min_size=1, max_size=3).filter(
    lambda part: part not in (".", "..") and not part.endswith((".", " "))
)
NAME = st.tuples(st.lists(PART, max_size=2), PART, st.sampled_from([".png", ".JPG", "", ".txt"]))
PNG_START = b"\x89PNG\r\n\x1a\n"
CONTENT = st.sampled_from([PNG_START, b"BM", b"text", b""])


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(NAME.map(lambda n: "/".join([*n[0], n[1] + n[2]])), CONTENT, max_size=8))
def test_no_mixture_of_files_loses_any(files: dict[str, bytes]) -> None:
    folders = {name[:at] for name in files for at, letter in enumerate(name) if letter == "/"}
    files = in_walking_order({name: files[name] for name in files if name not in folders})
    wanted = [
        name
        for name, content in files.items()
        if not any(part.startswith(".") for part in name.split("/"))
        and (name.lower().endswith((".png", ".jpg")) or content == PNG_START)
    ]
    with tempfile.TemporaryDirectory() as root:
        for kind in ("folder", "deflated", "pax", "gnu", "tar.gz"):
            source = open_sources([KINDS[kind](files, Path(root))])
            if kind != "folder" and not files:
                continue  # an empty archive is tested elsewhere
            found = contents(source)
            assert [path for path, _ in found] == wanted, kind
            assert [content for _, content in found] == [files[name] for name in wanted]
            assert contents(source) == found
