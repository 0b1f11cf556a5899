"""Kinds of pictures that no folder may swallow, and what is no picture."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from faulty import Faulty
from kindsamples import LUMA, RGB, psd
from packing import as_folder, as_tar, as_zip
from pictures import encoded
from PIL import Image

from fmnist_cli.decode import decode
from fmnist_cli.errors import ImageError

_RAW = b"II*\0\x10\0\0\0CR\2\0" + bytes(40)

READ = {
    "a.jp2": encoded(RGB, "JPEG2000"),
    "b.j2k": encoded(RGB, "JPEG2000", no_jp2=True),
    "c.tga": encoded(RGB, "TGA"),
    "d.tga": encoded(RGB, "TGA", compression="tga_rle"),
    "e.tga": encoded(Image.fromarray(RGB).convert("P"), "TGA"),
    "f.psd": psd(RGB),
    "g.ico": encoded(RGB, "ICO", sizes=[(48, 32)]),
    "h.qoi": encoded(RGB, "QOI"),
    "i.pcx": encoded(RGB, "PCX"),
    "j.sgi": encoded(RGB, "SGI"),
    "k.sgi": encoded(RGB, "SGI", bpc=2),
    "l.pfm": encoded(Image.fromarray(LUMA).convert("F"), "PPM"),
}
NOT_READ = {
    "a.jxl": (b"\xff\x0a" + bytes(30), "JPEG XL"),
    "b": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30), "JPEG XL"),
    "c.dds": (b"DDS |" + bytes(150), "DDS"),
    "d.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "e.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
    "f.exr": (b"v/1\1\2\0\0\0" + bytes(50), "OpenEXR"),
    "g": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n", "Radiance HDR"),
    "h.xcf": (b"gimp xcf v011\0" + bytes(50), "XCF"),
    "i.psb": (b"8BPS\0\2" + psd(RGB)[6:], "PSB"),
    "j.cr2": (_RAW, "CR2"),
    "k.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(50), "CR3"),
    "l.raf": (b"FUJIFILMCCD-RAW 0201" + bytes(100), "RAF"),
    "m.orf": (b"IIRO\x08\0\0\0" + bytes(100), "ORF"),
    "n.rw2": (b"IIU\0\x18\0\0\0" + bytes(100), "RW2"),
    "o.dcm": (bytes(128) + b"DICM" + bytes(50), "DICOM"),
    "p.cur": (b"\0\0\2\0\1\0" + bytes(60), "CUR"),
}
NO_PICTURES = {
    "notes.txt": b"a text",
    "more.txt": b"II",
    "page.html": b"<html><body><svg></svg></body></html>",
    "README": b"P5 is a text",
    "icon.dat": b"\0\0\1\0\1\0" + bytes(60),  # a mark that much else begins with
    "x.csv": b"a,b\n",
}


def test_kinds_that_were_passed_over(fmnist: Faulty, tmp_path: Path) -> None:
    """labelled, in folders and archives alike"""
    rows = []
    for packed in (as_folder(READ, tmp_path / "in"), as_zip(READ, tmp_path / "in.zip")):
        outcome = fmnist("classify", packed, "-m", "cnn", "--workers", "1")
        assert outcome.code == 0, outcome.said
        rows.append(outcome.rows)
    assert rows[0] == rows[1]
    assert [row["path"] for row in rows[0]] == sorted(READ)


def test_kinds_that_are_not_read(fmnist: Faulty, tmp_path: Path) -> None:
    """a row each, with the kind; what is no picture is counted by suffix"""
    files = {name: data for name, (data, _) in NOT_READ.items()} | NO_PICTURES
    outcome = fmnist("classify", as_folder(files, tmp_path / "in"), "-m", "cnn", "--workers", "1")
    assert outcome.code == 3
    assert {row["path"] for row in outcome.rows} == set(NOT_READ)
    for row in outcome.rows:
        assert f"({NOT_READ[row['path']][1]})" in row["error"]
    assert "6 other files skipped: 2 .txt, " in outcome.said
    dry = fmnist("classify", as_tar(files, tmp_path / "in.tar"), "--dry-run")
    told = dry.out.decode()
    assert all(kind in told for _, kind in NOT_READ.values())
    assert re.search(r"no picture: \.txt +2\n", told)
    assert all(f"no picture: {name}" in dry.said for name in NO_PICTURES)


def test_a_selection_in_photoshop() -> None:
    """is no transparency: the flattened picture is shown"""
    for alpha in (0, 90):
        data = psd(np.dstack([RGB, np.full(LUMA.shape, alpha, np.uint8)]))
        assert np.abs(decode(data).grey.astype(int) - LUMA).max() <= 1


@pytest.mark.parametrize("bits", [16, 32])
def test_variants_of_photoshop(bits: int) -> None:
    """a row that says so"""
    with pytest.raises(ImageError, match="not supported"):
        decode(psd(RGB, bits))


def _icon(width: int, height: int) -> bytes:
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 0, 0, 0, 0, 0, 0)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 48, 32, 0, 0, 1, 32, 40, 22) + bitmap


BOMBS = {
    "an icon": _icon(20_000, 20_000),
    "an icon, upside down": _icon(20_000, -40_000),
    "Photoshop": psd(RGB)[:14] + struct.pack(">II", 30_000, 30_000) + psd(RGB)[22:],
    "QOI": b"qoif" + struct.pack(">IIBB", 30_000, 30_000, 3, 0) + b"\xfd" * 99,
    "SGI": b"\x01\xda\1\1" + struct.pack(">4H", 3, 60_000, 60_000, 3) + bytes(600),
    "TGA": struct.pack("<BBB5xHHHHBB", 0, 0, 10, 0, 0, 60_000, 60_000, 24, 0) + bytes(99),
    "PCX": b"\n\5\1\x08" + struct.pack("<4H", 0, 0, 60_000, 60_000) + bytes(53) + b"\3" + bytes(99),
    "JPEG 2000": READ["b.j2k"][:8] + struct.pack(">II", 30_000, 30_000) + READ["b.j2k"][16:],
    "JPEG 2000, within": READ["a.jp2"].replace(
        b"\xff\x4f\xff\x51" + READ["b.j2k"][4:16],
        b"\xff\x4f\xff\x51" + READ["b.j2k"][4:8] + struct.pack(">II", 30_000, 30_000),
    ),
}


def test_bombs_of_these_kinds(fmnist: Faulty, tmp_path: Path) -> None:
    """rejected by their header"""
    folder = as_folder({f"{name}.png": data for name, data in BOMBS.items()}, tmp_path / "in")
    outcome = fmnist("classify", folder, "-m", "cnn", "--workers", "1")
    assert outcome.code == 3
    for row in outcome.rows:
        assert row["error"].startswith("too large"), row


def test_svg_that_is_compressed(fmnist: Faulty, tmp_path: Path) -> None:
    """a row, for its suffix"""
    (tmp_path / "a.svgz").write_bytes(gzip.compress(NOT_READ["d.svg"][0]))
    outcome = fmnist("classify", "a.svgz", "-m", "cnn")
    assert outcome.rows[0]["error"].startswith("not an image")
