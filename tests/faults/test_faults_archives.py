"""Archives that are damaged, hostile, or unlike what most programs write."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from faulty import MIB, Faulty
from packing import as_zip, tar_bytes
from pictures import encoded, frame

from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources import open_source

PICTURE = encoded(frame())
THREE = {f"{number}.png": PICTURE for number in range(3)}


def rows(path: Path, content: bytes) -> dict[str, str | None]:
    """Name of each row → the reason why its picture cannot be had, or None."""
    path.write_bytes(content)
    found: dict[str, str | None] = {}
    for item in open_source(path):
        try:
            found[item.path] = None if item.read() == PICTURE else "another picture"
        except ImageError as error:
            found[item.path] = str(error)
    return found


def tar_of(*members: tuple[str, bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), "a.png"
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def with_header(kind: bytes, content: bytes) -> bytes:
    """A header of this kind before an ordinary member."""
    member = tarfile.TarInfo("header")
    member.type, member.size = kind, len(content)
    header = member.tobuf(tarfile.USTAR_FORMAT)
    return header + content + bytes(-len(content) % 512) + tar_bytes(THREE)


LONG = 300_000
RECORDS = {
    "digits": b"1" * LONG,
    "digits in a record": b"%d a=%s\n" % (LONG, b"1" * (LONG - 10)),
    "records within each other": b"2 a" * (LONG // 3) + b"=",
    "no end": b"20 path=a.png",
    "too short": b"7 path=\n",
}


@pytest.mark.parametrize("name", RECORDS)
def test_tar_hostile_records(name: str, fmnist: Faulty, tmp_path: Path) -> None:
    """a row for the archive within a second, whatever Python's version"""
    content = gzip.compress(with_header(tarfile.XHDTYPE, RECORDS[name]))
    assert rows(tmp_path / "a.tar.gz", content) == {
        (tmp_path / "a.tar.gz").as_posix(): "archive damaged after 0 members"
    }


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_tar_huge_header(kind: bytes, tmp_path: Path) -> None:
    """a row for the archive; a name of 2 MB is none"""
    record = b"%d path=%s\n" % (2 * MIB, b"a" * (2 * MIB - 14))
    (reason,) = rows(tmp_path / "a.tar", with_header(kind, record)).values()
    assert reason == "archive damaged after 0 members"


def test_tar_many_shared_headers(tmp_path: Path) -> None:
    """a row for the archive: what all members share would be copied for each"""
    shared = b"".join(
        with_header(tarfile.XGLTYPE, b"16 key%04d=abc\n" % n)[:1024] for n in range(2000)
    )
    found = rows(tmp_path / "a.tar.gz", gzip.compress(shared + tar_bytes(THREE)))
    assert list(found.values()) == ["archive damaged after 0 members"]


def test_tar_ordinary_records(tmp_path: Path) -> None:
    """read, with names that only records can hold"""
    long = "d" * 200 + "/ä\n=1 2.png"
    assert rows(tmp_path / "a.tar", tar_bytes({long: PICTURE, **THREE})) == dict.fromkeys(
        [long, *THREE]
    )


@pytest.mark.parametrize("size", [-8, -1, 1 << 62, (1 << 63) + 5])
def test_tar_odd_size(size: int, tmp_path: Path) -> None:
    """members before it have their rows, and so has the archive"""
    whole = bytearray(tar_bytes(THREE))
    at = whole.find(b"1.png")
    whole[at + 124 : at + 136] = bytes([255 if size < 0 else 128]) + (
        (size + (1 << 88 if size < 0 else 0)).to_bytes(11, "big")
    )
    header = whole[at : at + 512]
    header[148:156] = b" " * 8
    whole[at + 148 : at + 156] = b"%06o\0 " % sum(header)
    found = rows(tmp_path / "a.tar", bytes(whole))
    assert list(found) == ["0.png", (tmp_path / "a.tar").as_posix()]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_tar_cut_off(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """rows of all that is whole, and one that says so"""
    whole = pack(tar_bytes(THREE))
    cut = whole[:-20] if pack is not bytes else whole[: 3 * 1536 - 800]
    path = tmp_path / "a.tar.x"
    found = rows(path, cut)
    assert "cut off" in (found.pop(path.as_posix()) or "")
    assert set(found.values()) == {None}
    assert len(found) == (2 if pack is bytes else 3)


def test_tar_members_of_odd_types(tmp_path: Path) -> None:
    """content is read under any type; links, pipes and devices have a row with the reason"""
    kinds = {
        "a": b"0",
        "b": b"\0",
        "c": b"7",
        "d": b"Z",
        "e": b"3",
        "f": b"6",
        "g": b"1",
        "h": b"2",
    }
    members = [
        (f"{name}.png", kind, PICTURE if name in "abcd" else b"") for name, kind in kinds.items()
    ]
    found = rows(tmp_path / "a.tar", tar_of(*members, ("dir.png", b"5", b"")))
    assert [name[0] for name, reason in found.items() if reason is None] == ["a", "b", "c", "d"]
    assert ["pipe" in str(found[f"{name}.png"]) for name in "efgh"] == [True, True, False, False]
    assert "link" in str(found["g.png"])


def test_tar_and_zip_of_equal_names(tmp_path: Path, fmnist: Faulty) -> None:
    """a row for each of them, and in a sorted tree a file for each"""
    members = [("a.png", b"0", encoded(frame(seed))) for seed in range(3)]
    (tmp_path / "a.tar").write_bytes(tar_of(*members))
    outcome = fmnist("classify", "a.tar", "-m", "cnn", "--sort-into", "tree", "-o", "rows.jsonl")
    assert outcome.code == 0
    assert len(list((tmp_path / "tree").rglob("*.png"))) == 3


def test_names_of_megabytes(fmnist: Faulty, tmp_path: Path) -> None:
    """rows, pages and files of shorter names at once"""
    names = ["x" * 900_000 + ".png", "a/" * 300_000 + "b.png", "ä" * 300_000 + ".png"]
    (tmp_path / "a.tar").write_bytes(tar_bytes(dict.fromkeys(names, PICTURE)))
    words = ("--sort-into", "tree", "-o", "rows.csv", "--report", "page.html")
    assert fmnist("classify", "a.tar", "-m", "cnn", *words, cpu=5).code == 0
    assert len(list((tmp_path / "tree").rglob("*.png"))) == 3
    assert fmnist("prepare", "a.tar", "-m", "cnn", "-o", "pages", cpu=5).code == 0


# Zip.


def zipped(tmp_path: Path, change: Callable[[bytes], bytes] = bytes) -> bytes:
    return change(as_zip(THREE, tmp_path / "whole.zip").read_bytes())


def end_of_zip(comment: bytes, size: int = 0) -> bytes:
    return b"PK\5\6" + bytes(16) + struct.pack("<H", size or len(comment)) + comment


HIDDEN = {
    "comment": lambda whole: whole[:-2] + b"\x16\0" + end_of_zip(b""),
    "comment with more": lambda whole: whole[:-2] + b"\x30\0" + b"ab" + end_of_zip(b"x" * 24),
    "an empty archive after it": lambda whole: whole + end_of_zip(b""),
    "two of them": lambda whole: whole + end_of_zip(b"") * 2,
    "junk after it": lambda whole: whole + b"\r\n" * 9,
    "a program before it": lambda whole: b"#!/bin/sh\nexit\n" + whole,
}


@pytest.mark.parametrize("name", HIDDEN)
def test_zip_whose_list_is_hidden(name: str, tmp_path: Path) -> None:
    """all members, as unzip has them"""
    assert rows(tmp_path / "a.zip", zipped(tmp_path, HIDDEN[name])) == dict.fromkeys(THREE)


@pytest.mark.parametrize("cut", [-1, -30, 600, 40])
def test_zip_cut_off(cut: int, tmp_path: Path) -> None:
    """refused with what can be done"""
    with pytest.raises(DataError, match=r"a\.zip: this zip archive is cut off .*zip -FF"):
        rows(tmp_path / "a.zip", zipped(tmp_path)[:cut])


def test_zip_of_more_members_than_16_bits_count(tmp_path: Path) -> None:
    """a row for each, also where the list says 5"""
    count = 65_541
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"{number}.png"), b"")
    whole = buffer.getvalue()
    at = whole.rfind(b"PK\6\6")  # what says so in 64 bits goes
    size, start = struct.unpack_from("<QQ", whole, at + 40)
    short = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 5, 5, size, start, 0)
    (tmp_path / "a.zip").write_bytes(whole[:at] + short)
    assert sum(1 for _ in open_source(tmp_path / "a.zip")) == count


def patched(position: int, value: bytes) -> Callable[[bytes], bytes]:
    """A change of the first entry in the list, at this position in it."""

    def change(whole: bytes) -> bytes:
        at = whole.find(b"PK\1\2") + position
        return whole[:at] + value + whole[at + len(value) :]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (patched(8, b"\1"), "is encrypted"),
        (patched(8, b"\x41"), "is encrypted"),
        (patched(10, b"\x63\0"), "method 99"),
        (patched(16, b"abcd"), "checksum"),
        (patched(20, b"\xff\xff\xff\x7f"), "reaches into another|too large"),
        (patched(24, b"\xff\xff\xff\x7f"), "too large"),
        (patched(38, b"\0\0\xff\xa1"), "is a link"),
        (patched(42, b"\x05\0\0\0"), "not where"),
        (patched(42, b"\xfe\xff\xff\xff"), "not where"),
    ],
)
def test_zip_with_a_bad_member(
    change: Callable[[bytes], bytes], reason: str, tmp_path: Path
) -> None:
    """a row that says why, and the rows of the others"""
    found = rows(tmp_path / "a.zip", zipped(tmp_path, change))
    assert re.search(reason, found.pop("0.png") or "")
    assert "1.png" in found
    assert found["2.png"] is None


def test_zip_that_explodes(tmp_path: Path) -> None:
    """members that reach into others are rejected unread"""
    whole = zipped(tmp_path)
    entry = whole[whole.find(b"PK\1\2") : whole.find(b"PK\1\2", whole.find(b"PK\1\2") + 1)]
    start = whole.find(b"PK\1\2")
    listed = entry * 500
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 500, 500, len(listed), start, 0)
    (tmp_path / "a.zip").write_bytes(whole[:start] + listed + end)
    reasons: Sequence[str] = [
        getattr(item, "reason", "") for item in open_source(tmp_path / "a.zip")
    ]
    assert sum("reaches into" in reason for reason in reasons) >= 499


def test_zip_in_lzma_with_a_huge_dictionary(tmp_path: Path, fmnist: Faulty) -> None:
    """read, with a dictionary no larger than the content"""
    whole = bytearray(as_zip(THREE, tmp_path / "a.zip", zipfile.ZIP_LZMA).read_bytes())
    at = whole.find(b"\x09\x04\x05\x00")
    whole[at + 5 : at + 9] = b"\0\0\0\x60"  # 1.5 GiB
    (tmp_path / "a.zip").write_bytes(whole)
    outcome = fmnist("classify", "a.zip", "-m", "cnn", memory=200 * MIB)
    assert [row["status"] for row in outcome.rows] == ["ok"] * 3
