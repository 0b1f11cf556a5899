"""Which way is up: EXIF blocks usual and unusual, XMP, and the containers' own rotation."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kindsamples import SAMPLES
from pictures import Grey, encoded, exif, smooth
from PIL import Image

from fmnist_cli.decode import complete, decode
from fmnist_cli.decode.orientation import exif_orientation, turned_upright, xmp_orientation
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.kinds import isomedia_kind

SHORT, LONG, RATIONAL = 3, 4, 5
WIDTH, HEIGHT = 48, 32


def block(order: str, *entries: tuple[int, int, int, bytes], at: int = 8) -> bytes:
    """An EXIF block with one directory: (tag, type, count, value) each."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    listed = b"".join(
        struct.pack(order + "HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries
    )
    count = struct.pack(order + "H", len(entries))
    return mark + struct.pack(order + "I", at) + bytes(at - 8) + count + listed + bytes(4)


def turn(order: str, value: int, kind: int = SHORT) -> tuple[int, int, int, bytes]:
    return (0x0112, kind, 1, struct.pack(order + {1: "B", SHORT: "H", LONG: "I"}[kind], value))


@pytest.mark.parametrize("order", "<>")
def test_the_orientation_is_found_in_either_byte_order(order: str) -> None:
    maker = (0x010F, 2, 4, b"me\0\0")
    for value in range(1, 9):
        assert exif_orientation(block(order, maker, turn(order, value))) == value
    assert exif_orientation(block(order, turn(order, 6, LONG))) == 6
    assert exif_orientation(block(order, turn(order, 6, 1))) == 6
    assert exif_orientation(block(order, turn(order, 6), at=20)) == 6


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"II*\0",
        b"XX*\0\x08\0\0\0",
        block("<"),
        block("<", turn("<", 0)),
        block("<", turn("<", 9)),
        block("<", (0x0112, RATIONAL, 1, b"\6")),
        block("<", turn("<", 6))[:-8],
        block("<", turn("<", 6)).replace(b"\x08\0\0\0", b"\xff\xff\xff\xff", 1),
    ],
)
def test_what_says_no_orientation_says_none(damaged: bytes) -> None:
    assert exif_orientation(damaged) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.sampled_from([b"II*\0", b"MM\0*", b""]))
def test_any_block_is_read_or_passed_over(content: bytes, mark: bytes) -> None:
    assert exif_orientation(mark + content) in (None, 1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (b'<x tiff:Orientation="6"/>', 6),
        (b"<tiff:Orientation>3</tiff:Orientation>", 3),
        (b'<x tiff:Orientation="9"/>', None),
        (b"<x/>", None),
    ],
)
def test_xmp_says_it_as_attribute_or_element(packet: bytes, expected: int | None) -> None:
    assert xmp_orientation(packet) == expected


@pytest.mark.parametrize("orientation", [*range(10), -1])
def test_pixels_are_turned_as_pillow_turns_them(orientation: int) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    flips: dict[int, Image.Transpose] = dict(zip(range(2, 9), TURNS, strict=True))
    expected = Image.fromarray(pixels)
    if orientation in flips:
        expected = expected.transpose(flips[orientation])
    np.testing.assert_array_equal(turned_upright(pixels, orientation), np.asarray(expected))


TURNS = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def segment(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes, pixels: Grey | None = None) -> bytes:
    data = encoded(smooth(WIDTH, HEIGHT) if pixels is None else pixels, "JPEG", quality=95)
    return data[:2] + b"".join(map(segment, segments)) + data[2:]


XMP = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="8"/>'
# Blocks that OpenCV and Pillow read differently.
UNUSUAL = {
    "long": (b"Exif\0\0" + block(">", turn(">", 6, LONG)), True),
    "byte": (b"Exif\0\0" + block("<", turn("<", 6, 1)), True),
    "empty, then XMP": (b"Exif\0\0" + block("<"), False),
    "no": (b"Exif\0\0" + block("<", turn("<", 1)), False),
}


@pytest.mark.parametrize("after", [b"", b"more"], ids=["fast", "complete"])
@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_exif_is_read_alike_on_both_paths(name: str, after: bytes) -> None:
    content, turned = UNUSUAL[name]
    expected = (WIDTH, HEIGHT) if turned else (HEIGHT, WIDTH)
    assert decode(jpeg(content) + after).grey.shape == expected


@pytest.mark.parametrize("after", [b"", b"more"], ids=["fast", "complete"])
def test_exif_goes_before_xmp(after: bytes) -> None:
    pixels = smooth(WIDTH, HEIGHT)
    plain = decode(jpeg(pixels=pixels)).grey
    by_exif = b"Exif\0\0" + block("<", turn("<", 6))
    for segments in ([XMP, by_exif], [by_exif, XMP]):
        np.testing.assert_array_equal(
            decode(jpeg(*segments, pixels=pixels) + after).grey, np.rot90(plain, -1)
        )
    np.testing.assert_array_equal(decode(jpeg(XMP, pixels=pixels) + after).grey, np.rot90(plain))


@pytest.mark.parametrize("after", [b"", b"more"], ids=["fast", "complete"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_picture_is_turned_and_remembers_its_size(orientation: int, after: bytes) -> None:
    data = encoded(smooth(90, 61), "JPEG", exif=exif(orientation)) + after
    picture = decode(data, reduction=lambda *_: 4)
    turned = orientation >= 5
    assert picture.grey.shape == ((23, 16) if turned else (16, 23))
    assert picture.full == ((90, 61) if turned else (61, 90))


# HEIC and AVIF turn by a property of the container; EXIF only repeats it.


@pytest.mark.skipif(not SAMPLES["HEIC"].available, reason="pillow-heif is not installed")
def test_heic_is_turned_once() -> None:
    assert decode(SAMPLES["HEIC"].make()[0]).grey.shape == (HEIGHT, WIDTH)
    # By now Pillow knows how to write it, too.
    data = encoded(smooth(WIDTH, HEIGHT, 3), "HEIF", exif=exif(6).tobytes())
    assert b"irot" in data
    assert b"Exif" in data
    assert decode(data).grey.shape == (WIDTH, HEIGHT)


@pytest.mark.skipif(not SAMPLES["AVIF"].available, reason="this Pillow is built without AVIF")
def test_avif_is_turned_once() -> None:
    data = encoded(smooth(WIDTH, HEIGHT, 3), "AVIF", exif=exif(6))
    assert decode(data).grey.shape == (WIDTH, HEIGHT)


def head(major: bytes, *compatible: bytes) -> bytes:
    brands = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + b"\0\0\0\0meta"


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (head(b"heic", b"mif1"), "HEIF"),
        (head(b"mif1", b"mif1", b"heic"), "HEIF"),
        (head(b"avif"), "AVIF"),
        (head(b"mif1", b"mif1", b"avif"), "AVIF"),
        (head(b"isom", b"avc1"), None),
        (b"RIFF", None),
        (b"", None),
    ],
)
def test_brands_tell_heic_from_avif(start: bytes, kind: str | None) -> None:
    assert isomedia_kind(start) == kind


def test_avif_without_a_pillow_that_has_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(complete, "_KINDS", ("PNG", "JPEG"))
    avif = head(b"avif")
    with pytest.raises(ImageError, match=r"AVIF needs Pillow 11\.3 .*pip install --upgrade pillow"):
        complete.decode_complete(avif, None, 1000, lambda _width, _height: 1)
