"""Bugs that users of other tools for pictures reported: what they met, tried here in one run.

Each test names the report. All pictures lie in one folder, beside the same ones as ordinary PNGs.
"""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import Faulty
from PIL import Image, ImageOps

SAMPLES = Path(__file__).parents[2] / "data" / "samples" / "products"
NAMES = {
    "ordinary.png", "grey.png", "bits.png",  # what the others are compared with
    "broken-xmp.jpg", "truly-png.jpg", "cut.jpg", "empty.jpg", "deep.png", "one-bit.png",
    "two-colours.png", "min-is-white.tif", "a?b%3F.png", "img.123.jpg", "(1).jpg", "Œuvre é.jpg",
}  # fmt: skip
NFD = unicodedata.normalize("NFD", "Œuvre é.jpg")

Rows = dict[str, dict[str, Any]]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    with Image.open(SAMPLES / "trousers.png") as image:
        color = Image.new("RGB", image.size, "white")
        color.paste(image.convert("RGB"), mask=image.convert("RGBA").getchannel("A"))
    grey = ImageOps.grayscale(color)
    bits = grey.point(lambda value: 255 * (value > 160), "1")
    whole = _saved(color, "JPEG", quality=95)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><broken " + b"a='&" * 2000
    deep = np.asarray(grey).astype(np.uint16) * 257
    # The tag that says that 0 is white, and pixels to match.
    inverted = _saved(ImageOps.invert(grey), "TIFF", tiffinfo={262: 0})
    contents = {
        "ordinary.png": _saved(color, "PNG"),
        "grey.png": _saved(grey, "PNG"),
        "bits.png": _saved(bits.convert("L"), "PNG"),
        "broken-xmp.jpg": b"\xff\xd8\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + whole[2:],
        "truly-png.jpg": _saved(color, "PNG"),
        "cut.jpg": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "deep.png": _saved(Image.fromarray(deep), "PNG"),
        "one-bit.png": _saved(bits, "PNG"),
        "two-colours.png": _saved(bits.convert("L").quantize(2), "PNG", bits=1),
        "min-is-white.tif": inverted,
        "a?b%3F.png": _saved(color, "PNG"),
        "img.123.jpg": whole,
        "(1).jpg": whole,
        NFD: whole,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


_rows: Rows = {}


@pytest.fixture
def rows(fmnist: Faulty, folder: Path) -> Rows:
    """Rows by path; the command runs for the first test that asks."""
    if not _rows:
        outcome = fmnist("classify", folder, "-m", "cnn")
        assert outcome.code == 3
        assert "please report" not in outcome.said
        _rows.update({row["path"]: row for row in outcome.rows})
    assert {unicodedata.normalize("NFC", path) for path in _rows} == NAMES
    return _rows


def same(one: dict[str, Any], other: dict[str, Any], within: float = 0.05) -> bool:
    return one["label"] == other["label"] and abs(one["confidence"] - other["confidence"]) < within


def test_xmp_that_is_no_xml(rows: Rows) -> None:
    """labelled (jellyfin 3264: the scan of the library ended)"""
    assert same(rows["broken-xmp.jpg"], rows["ordinary.png"])


def test_png_called_jpg(rows: Rows) -> None:
    """labelled by its content (Efficient-Compression-Tool 56: the batch ended)"""
    assert same(rows["truly-png.jpg"], rows["ordinary.png"], 1e-6)


def test_one_cut_off_picture_in_a_batch(rows: Rows) -> None:
    """its row says so, all others are labelled (py-feat 96: the batch was thrown away)"""
    assert "damaged image" in rows["cut.jpg"]["error"]
    assert sum(row["status"] == "ok" for row in rows.values()) == len(NAMES) - 2


def test_empty_file_of_an_interrupted_capture(rows: Rows) -> None:
    """its row says so (allsky 12: an exception of OpenCV ended the run)"""
    assert rows["empty.jpg"]["error"] == "empty file"


def test_grey_png_of_16_bits(rows: Rows) -> None:
    """as the picture of 8 bits (openFrameworks 7552: not drawn at all)"""
    assert same(rows["deep.png"], rows["grey.png"], 1e-6)


def test_grey_png_of_one_bit(rows: Rows) -> None:
    """as the picture of 8 bits (SDL_image 45: cannot load it)"""
    assert same(rows["one-bit.png"], rows["bits.png"], 1e-6)


def test_png_of_one_bit_with_a_palette(rows: Rows) -> None:
    """as the picture of 8 bits (turicreate 375: unsupported PNG bit depth)"""
    assert same(rows["two-colours.png"], rows["bits.png"], 1e-6)


def test_tiff_whose_0_is_white(rows: Rows) -> None:
    """not inverted (darktable 18815: grey TIFF shown as its negative)"""
    assert same(rows["min-is-white.tif"], rows["grey.png"], 1e-6)


def test_name_with_a_question_mark(rows: Rows) -> None:
    """labelled, the name as it is (universal-data-tool 372: a broken picture)"""
    assert same(rows["a?b%3F.png"], rows["ordinary.png"], 1e-6)


def test_names_with_dots_and_brackets(rows: Rows) -> None:
    """labelled (Yolo-FastestV2 52 and Image-Optimizer 90: crashed while loading)"""
    assert same(rows["img.123.jpg"], rows["ordinary.png"])
    assert same(rows["(1).jpg"], rows["ordinary.png"])


def test_decomposed_accents(rows: Rows) -> None:
    """labelled, the name byte for byte (paperbanana 234, net-vips 210: lost or not recognised)"""
    assert same(rows[NFD], rows["ordinary.png"])
