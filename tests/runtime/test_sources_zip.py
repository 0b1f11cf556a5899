from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from packing import as_zip
from pictures import encoded, frame

from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources import open_source
from fmnist_cli.sources.items import Selection, Source

PNG = encoded(frame())


def reasons(source: Source) -> dict[str, str]:
    found = {}
    for item in source:
        try:
            item.read()
        except ImageError as error:
            found[item.path] = str(error)
    return found


def members(*infos: tuple[zipfile.ZipInfo, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in infos:
            archive.writestr(info, content)
    return path


def test_names_are_tidy(tmp_path: Path) -> None:
    names = [
        "./a.png",
        "/b.png",
        "c//d.png",
        "__MACOSX/._a.png",
        "x/.y/z.png",
        "\u65e5.png",
        "e.png",
    ]
    source = open_source(as_zip(dict.fromkeys(names, PNG), tmp_path / "a.zip"))
    assert [item.path for item in source] == ["a.png", "b.png", "c/d.png", "\u65e5.png", "e.png"]


def test_names_of_old_archives_are_of_the_code_page_of_dos(tmp_path: Path) -> None:
    path = as_zip({"caf?.png": PNG}, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes().replace(b"caf?", b"caf\x82"))
    assert [item.path for item in open_source(path)] == ["caf\u00e9.png"]


def test_backslashes_of_windows_are_separators(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a/b.png")
    info.create_system = 0
    path = members((info, PNG), path=tmp_path / "a.zip")
    path.write_bytes(path.read_bytes().replace(b"a/b.png", b"a\\b.png"))
    assert [item.path for item in open_source(path)] == ["a/b.png"]


def test_the_order_is_that_of_the_archive(tmp_path: Path) -> None:
    names = ["b.png", "a.png", "c/x.png", "b2.png"]
    source = open_source(as_zip(dict.fromkeys(names, PNG), tmp_path / "a.zip"))
    assert [item.path for item in source] == names


def test_members_that_cannot_be_had_have_their_reason(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    path = members(
        (link, b"a.png"),
        (zipfile.ZipInfo("../up.png"), PNG),
        (zipfile.ZipInfo("../up.txt"), b""),
        path=tmp_path / "a.zip",
    )
    source = open_source(path)
    found = reasons(source)
    assert "link" in found["link.png"]
    assert "outside" in found["../up.png"]
    assert source.skipped.count == 1


def altered(path: Path, signature: bytes, offset: int, value: bytes) -> Path:
    """The archive with some bytes after each header of one kind replaced."""
    data = bytearray(path.read_bytes())
    at = data.find(signature)
    while at >= 0:
        data[at + offset : at + offset + len(value)] = value
        at = data.find(signature, at + 1)
    path.write_bytes(data)
    return path


def test_encrypted_and_unknown_compression(tmp_path: Path) -> None:
    path = altered(as_zip({"a.png": PNG}, tmp_path / "a.zip"), b"PK\1\2", 8, b"\1\0")
    assert "password" in reasons(open_source(path))["a.png"]
    path = altered(as_zip({"a.png": PNG}, tmp_path / "b.zip"), b"PK\1\2", 10, b"\x61\0")
    assert "method 97" in reasons(open_source(path))["a.png"]


def test_a_wrong_checksum_is_a_reason(tmp_path: Path) -> None:
    path = altered(as_zip({"a.png": PNG}, tmp_path / "a.zip"), b"PK\1\2", 16, b"\0\0\0\0")
    assert "checksum" in reasons(open_source(path))["a.png"]


def test_damaged_content_is_a_reason(tmp_path: Path) -> None:
    text = b"\x89PNG\r\n\x1a\n" + b"a compressible text " * 99
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = as_zip({"a.png": text, "b.png": text}, tmp_path / f"{method}.zip", method)
        data = path.read_bytes()
        path.write_bytes(data[:45] + bytes(8) + data[53:])
        assert "damaged in the archive" in reasons(open_source(path))["a.png"]
        assert "b.png" not in reasons(open_source(path))


def test_a_bomb_is_never_inflated_beyond_the_limit(tmp_path: Path) -> None:
    path = as_zip({"a.png": bytes(50_000_000)}, tmp_path / "a.zip")
    (item,) = open_source(path)
    with pytest.raises(ImageError, match="too large: 50,000,000 bytes, at most 1,000,000"):
        item.read(1_000_000)
    # The same with a list that lies about the size.
    altered(path, b"PK\1\2", 24, struct.pack("<L", 1000))
    (item,) = open_source(path)
    with pytest.raises(ImageError, match="wrong size"):
        item.read(1_000_000)


def test_a_cut_off_archive_is_told_at_once(tmp_path: Path) -> None:
    path = as_zip({"a.png": PNG, "b.png": PNG}, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"a\.zip: this zip archive is cut off or damaged"):
        open_source(path)


def test_a_list_that_breaks_off_is_told_at_once(tmp_path: Path) -> None:
    path = as_zip({"a.png": PNG, "b.png": PNG, "c.png": PNG}, tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    second = data.find(b"PK\1\2", data.find(b"PK\1\2") + 1)
    data[second : second + 4] = b"XXXX"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"cut off or damaged .*central directory"):
        open_source(path)


def test_more_members_than_the_end_says_are_read(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(5)]
    path = altered(as_zip(dict.fromkeys(names, PNG), tmp_path / "a.zip"), b"PK\5\6", 8, b"\2\0\2\0")
    assert [item.path for item in open_source(path)] == names


def test_what_stands_before_or_behind_the_archive_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", PNG)
        archive.comment = b"a comment" + bytes(30)
    path.write_bytes(b"PK\3\4 something else" + path.read_bytes() + b"junk")
    assert [item.read() for item in open_source(path)] == [PNG]


def test_a_comment_does_not_hide_the_list(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", PNG)
        archive.comment = b"a comment with PK\5\6 in it" + bytes(30)
    assert [item.read() for item in open_source(path)] == [PNG]


def test_very_large_archives_have_another_end(tmp_path: Path) -> None:
    # All values of the list in the long form, as from 4 GB or 65,535 members on.
    path = as_zip({"a.png": PNG, "b.png": PNG}, tmp_path / "a.zip", zipfile.ZIP_STORED)
    data = path.read_bytes()
    start, records = data.find(b"PK\1\2"), b""
    for offset, name in ((0, b"a.png"), (data.find(b"PK\3\4", 1), b"b.png")):
        fixed = bytearray(data[start : start + 46])
        fixed[20:28], fixed[42:46], fixed[30:32] = b"\xff" * 8, b"\xff" * 4, b"\x1c\0"
        extra = struct.pack("<HHQQQ", 1, 24, len(PNG), len(PNG), offset)
        records += bytes(fixed) + name + extra
    end64 = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, len(records), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(records), 1)
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:start] + records + end64 + locator + end)
    assert [(item.path, item.read()) for item in open_source(path)] == [
        ("a.png", PNG),
        ("b.png", PNG),
    ]


def test_more_members_than_one_buffer_holds(tmp_path: Path) -> None:
    names = [f"{'folder' * 30}/{i:05d}.png" for i in range(3000)]
    source = open_source(as_zip(dict.fromkeys(names, b"x"), tmp_path / "a.zip"))
    assert [item.path for item in source] == names


def test_an_archive_without_pictures_gives_none(tmp_path: Path) -> None:
    source = open_source(as_zip({"a.txt": b"text"}, tmp_path / "a.zip"))
    assert list(source) == []
    assert source.skipped.count == 1
    assert list(open_source(as_zip({}, tmp_path / "empty.zip"))) == []


def test_only_what_is_wanted(tmp_path: Path) -> None:
    path = as_zip({"a.png": PNG, "b.png": PNG}, tmp_path / "a.zip")
    source = open_source(path, selection=Selection(wants=lambda path: path == "b.png"))
    assert [item.path for item in source] == ["b.png"]


def test_an_archive_that_changes_on_the_way_is_noticed(tmp_path: Path) -> None:
    path = as_zip({"a.png": PNG}, tmp_path / "a.zip")
    (item,) = open_source(path)
    as_zip({"a.png": PNG, "b.png": PNG}, path)
    with pytest.raises(ImageError, match="was changed"):
        item.read()
