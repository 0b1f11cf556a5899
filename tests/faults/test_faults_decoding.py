"""Deep values, transparent colours, profiles, turns and raw photos: what a viewer would show."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from faulty import Faulty
from kindsamples import (
    GREY,
    HEIGHT,
    LUMA,
    RGB,
    WIDTH,
    lossless_jpeg,
    luma,
    srgb_of_light,
    with_alpha,
)
from packing import as_folder
from pictures import Grey, chunk, encoded, png, png_stream
from PIL import Image, ImageCms

from fmnist_cli.decode import decode
from fmnist_cli.decode.orientation import turned_upright
from fmnist_cli.errors import ImageError
from fmnist_cli.sinks.placing import places

BYTE, ASCII, SHORT, LONG, UNDEFINED, SLONG, FLOAT = 1, 2, 3, 4, 7, 9, 11
WHOLE, SIGNED, REAL = 1, 2, 3  # sample formats
_CODES = {BYTE: "B", SHORT: "H", LONG: "I", UNDEFINED: "B", SLONG: "i", FLOAT: "f"}
Tag = tuple[int, Any]  # type and values


def tiff(
    *pictures: tuple[npt.NDArray[Any], dict[int, Tag]], order: str = "<", sub: bool = False
) -> bytes:
    """A TIFF of uncompressed pictures, with tags added; behind the first as its sub-pictures."""
    data = bytearray(b"II*\0\0\0\0\0" if order == "<" else b"MM\0*\0\0\0\0")
    link = 4
    for number, (values, more) in enumerate(pictures):
        height, width, channels = (*values.shape, 1)[:3]
        strip = len(data)
        data += values.astype(values.dtype.newbyteorder(order)).tobytes()
        kind = {"u": WHOLE, "i": SIGNED, "f": REAL}[values.dtype.kind]
        tags: dict[int, Tag] = {
            256: (LONG, (width,)),
            257: (LONG, (height,)),
            258: (SHORT, (values.dtype.itemsize * 8,) * channels),
            259: (SHORT, (1,)),
            262: (SHORT, (2 if channels == 3 else 1,)),
            273: (LONG, (strip,)),
            277: (SHORT, (channels,)),
            278: (LONG, (height,)),
            279: (LONG, (values.nbytes,)),
            339: (SHORT, (kind,)),
            **more,
        }
        if sub and not number:
            tags[330] = (LONG, (0,))
        entries = b""
        links = {}
        for tag, (form, numbers) in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(numbers)}{_CODES[form]}", *numbers)
            if len(packed) > 4:
                data += bytes(len(data) % 2)
                packed, inside = struct.pack(order + "I", len(data)), packed
                data += inside
            links[tag] = len(entries) + 8
            entries += struct.pack(order + "HHI", tag, form, len(numbers)) + packed.ljust(4, b"\0")
        data += bytes(len(data) % 2)
        struct.pack_into(order + "I", data, link, len(data))
        start = len(data) + 2
        data += struct.pack(order + "H", len(tags)) + entries + bytes(4)
        link = start + (links[330] if sub and not number else len(entries))
    return bytes(data)


def near(data: bytes, expected: Grey, tolerance: int = 1, **options: Any) -> None:
    """It is decoded to this grey."""
    grey = decode(data, **options).grey
    assert grey.shape == expected.shape
    assert np.abs(grey.astype(int) - expected).max() <= tolerance


def reason(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data)
    return str(caught.value)


# Deep values.

LEVELS = GREY / np.float64(255)
_HOLE = (GREY / np.float32(255)).astype(np.float32)
_HOLE[3, 5], _HOLE[4, 6] = np.inf, np.nan
DEEP: dict[str, tuple[npt.NDArray[Any], dict[int, Tag]]] = {
    "10 bits in 16": (np.rint(LEVELS * 1023).astype(np.uint16), {281: (SHORT, (1023,))}),
    "12 bits in 16": (np.rint(LEVELS * 4095).astype(np.uint16), {281: (SHORT, (4095,))}),
    "10 bits in 16, its highest": (
        np.rint(LEVELS * 1023).astype(np.uint16),
        {281: (SHORT, (800,))},
    ),
    "14 bits in 16, for scaling": (
        np.rint(LEVELS * 16000).astype(np.uint16),
        {341: (SHORT, (16000,))},
    ),
    "10 bits in 16, in colour": (
        np.repeat(np.rint(LEVELS * 1023).astype(np.uint16)[..., None], 3, axis=2),
        {281: (SHORT, (1023,) * 3)},
    ),
    "8 bits in 16": (GREY.astype(np.uint16), {}),
    "8 bits in 16, in colour": (np.repeat(GREY.astype(np.uint16)[..., None], 3, axis=2), {}),
    "signed 8 bits": ((GREY // 2).astype(np.int8), {}),
    "16 bits": (GREY.astype(np.uint16) * 257, {}),
    "32 bits": (GREY.astype(np.uint32) * 0x01010101, {}),
    "16 bits in 32": (GREY.astype(np.uint32) * 257, {}),
    "signed 16 bits": (GREY.astype(np.int16) * 128, {}),
    "signed 32 bits": (GREY.astype(np.int32) * 8_421_504, {}),
    "floats to 1": (LEVELS.astype(np.float32), {}),
    "floats to 255": (GREY.astype(np.float32), {}),
    "floats, for scaling": (
        (LEVELS * 9 - 3).astype(np.float32),
        {340: (FLOAT, (-3,)), 341: (FLOAT, (6,))},
    ),
    "floats with an infinity and no number": (_HOLE, {}),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_values(name: str) -> None:
    """scaled to 8 bits by what the file says of them"""
    values, tags = DEEP[name]
    for order in "<" if values.dtype == np.uint32 else "<>":
        data = tiff((values, tags), order=order)
        # What is no number may become anything.
        kept = np.isfinite(values) if values.ndim == 2 else True
        expected = np.where(kept, GREY.astype(int), decode(data).grey)
        near(data, expected, 2)


def test_32_bits_in_the_other_byte_order() -> None:
    """a row that says so"""
    assert "variant that is not supported" in reason(tiff(DEEP["32 bits"], order=">"))


@pytest.mark.parametrize("kind", [np.float32, np.int16])
def test_a_range_of_its_own(kind: type) -> None:
    """stretched to black and white"""
    low, high = (int(GREY.min()), int(GREY.max()))
    values = (GREY.astype(np.float64) * 100 - 12_000).astype(kind)
    expected = np.rint((GREY.astype(float) - low) * 255 / (high - low))
    near(tiff((values, {})), expected)


def test_no_number_at_all() -> None:
    """a row that says so"""
    values = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    assert "no value in it is a number" in reason(tiff((values, {})))


def test_white_is_zero() -> None:
    """heeded in 16 bits"""
    near(tiff((65535 - GREY.astype(np.uint16) * 257, {262: (SHORT, (0,))})), GREY)


# Transparent colours and alpha.


def _key(*values: int) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def test_a_key_of_16_bits_in_grey() -> None:
    """only what equals all 16 bits of it is transparent"""
    values = GREY.astype(np.uint16) * 257
    values[:4] = 0x4142
    values[4:8] = 0x4143  # the same in 8 bits
    data = png(WIDTH, HEIGHT, png_stream(values), depth=16, extra=_key(0x4142))
    expected = np.rint(values / 257)
    expected[:4] = 255
    near(data, expected)


def test_a_key_of_16_bits_in_colour() -> None:
    """only what equals all 48 bits of it is transparent"""
    values = RGB.astype(np.uint16) * 257
    values[:4], values[4:8] = (0x0102, 0x0304, 0x0506), (0x0102, 0x0304, 0x0507)
    rows = png_stream(values.reshape(HEIGHT, -1))
    data = png(WIDTH, HEIGHT, rows, depth=16, color=2, extra=_key(0x0102, 0x0304, 0x0506))
    expected = LUMA.astype(int)
    expected[:4], expected[4:8] = 255, 3
    near(data, expected, 2)


def test_a_key_of_more_bits_than_samples() -> None:
    """its upper bits do not count"""
    values = GREY.copy()
    values[:4] = 90
    data = png(WIDTH, HEIGHT, png_stream(values), extra=_key(0x0700 + 90))
    near(data, np.where(values == 90, 255, values))


def test_a_key_of_4_bits() -> None:
    """means the stored value and not the scaled one"""
    rows = np.tile(np.array([0x15, 0x5C], np.uint8), (HEIGHT, WIDTH // 4))
    data = png(WIDTH, HEIGHT, png_stream(rows), depth=4, extra=_key(5))
    near(data, np.tile(np.array([1 * 17, 255, 255, 12 * 17]), (HEIGHT, WIDTH // 4)))


def bmp(version: int, alpha: int) -> bytes:
    """A BMP of 32 bits that has a place for alpha; header of 56, 108 or 124 bytes."""
    size = {3: 56, 4: 108, 5: 124}[version]
    pixels = np.dstack([RGB[::-1, :, ::-1], np.full((HEIGHT, WIDTH), alpha, np.uint8)]).tobytes()
    header = struct.pack("<IiiHHIIiiII", size, WIDTH, HEIGHT, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    header += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = header.ljust(size, b"\0")
    start = 14 + size
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels


@pytest.mark.parametrize("version", [3, 4, 5])
def test_bmp_with_an_empty_alpha(version: int) -> None:
    """opaque; half transparent is that"""
    near(bmp(version, 0), LUMA)
    near(bmp(version, 255), LUMA)
    near(bmp(version, 128), np.rint(LUMA / 2 + 127))


def test_tga_and_ico_with_an_empty_alpha() -> None:
    """opaque"""
    clear = np.dstack([RGB, np.zeros((HEIGHT, WIDTH), np.uint8)])
    near(encoded(clear, "TGA"), LUMA)
    near(encoded(clear, "ICO", sizes=[(WIDTH, HEIGHT)], bitmap_format="bmp"), LUMA)


# Which way is up.

TIFF_NAMES = 'xmlns:{0}="http://ns.adobe.com/tiff/1.0/"'
_RDF = (
    '<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="urn:r">{}'
    '</r:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def packet(inside: str, encoding: str = "utf-8") -> bytes:
    return _RDF.format(inside).encode(encoding)


SPELLED = {
    "attribute": packet(f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation="6"/>'),
    "single quotes": packet(f"<r:D {TIFF_NAMES.format('tiff')} tiff:Orientation='6'/>"),
    "spaces": packet(f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation = " 6 "/>'),
    "element": packet(
        f"<r:D {TIFF_NAMES.format('tiff')}><tiff:Orientation> 6\n</tiff:Orientation></r:D>"
    ),
    "element with attributes": packet(
        f'<r:D {TIFF_NAMES.format("tiff")}><tiff:Orientation r:t="i">6</tiff:Orientation></r:D>'
    ),
    "another prefix": packet(f'<r:D {TIFF_NAMES.format("t")} t:Orientation="6"/>'),
    "no prefix": packet(
        '<r:D><Orientation xmlns="http://ns.adobe.com/tiff/1.0/">6</Orientation></r:D>'
    ),
    "value within": packet(
        f"<r:D {TIFF_NAMES.format('t')}><t:Orientation><r:value>6</r:value></t:Orientation></r:D>"
    ),
    "character reference": packet(f'<r:D {TIFF_NAMES.format("t")} t:Orientation="&#x36;"/>'),
    "UTF-16": packet(f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation="6"/>', "utf-16-be"),
    "UTF-16, little end first": packet(
        f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation="6"/>', "utf-16-le"
    ),
    "followed by zeros": packet(f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation="6"/>')
    + bytes(9),
    "names not declared": b"<x tiff:Orientation='6'/>",
}
OTHERS = {
    "another name space": packet('<r:D xmlns:e="urn:e" e:Orientation="6"/>'),
    "entities": b'<!DOCTYPE x [<!ENTITY a "6">]>'
    + packet(f'<r:D {TIFF_NAMES.format("t")} t:Orientation="&a;"/>'),
    "9": packet(f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation="9"/>'),
    "66": packet(f'<r:D {TIFF_NAMES.format("tiff")} tiff:Orientation="66"/>'),
}


def in_jpeg(xmp: bytes, mark: bytes = b"http://ns.adobe.com/xap/1.0/\0") -> bytes:
    data = encoded(RGB, "JPEG", quality=95)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(mark + xmp) + 2) + mark + xmp + data[2:]


def in_png(xmp: bytes) -> bytes:
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)
    return png(
        WIDTH, HEIGHT, png_stream(RGB.reshape(HEIGHT, -1)), color=2, extra=chunk(b"iTXt", text)
    )


def in_tiff(form: int) -> Callable[[bytes], bytes]:
    def make(xmp: bytes) -> bytes:
        xmp = xmp.ljust(-(-len(xmp) // 4) * 4, b"\0")
        numbers = struct.unpack(f"<{len(xmp) // struct.calcsize(_CODES[form])}{_CODES[form]}", xmp)
        return tiff((RGB, {700: (form, numbers)}))

    return make


HOLDERS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": in_jpeg,
    "JPEG with more behind it": lambda xmp: in_jpeg(xmp) + b"behind",
    "PNG": in_png,
    "WebP": lambda xmp: encoded(RGB, "WEBP", xmp=xmp, lossless=True),
    "TIFF": in_tiff(BYTE),
    "TIFF, undefined": in_tiff(UNDEFINED),
    "TIFF, shorts": in_tiff(SHORT),
    "TIFF, longs": in_tiff(LONG),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_turned_by_xmp(holder: str) -> None:
    """however it is spelled"""
    for name, xmp in SPELLED.items():
        assert decode(HOLDERS[holder](xmp)).grey.shape == (WIDTH, HEIGHT), name
        near(HOLDERS[holder](xmp), turned_upright(LUMA, 6), 4)
    for name, xmp in OTHERS.items():
        assert decode(HOLDERS[holder](xmp)).grey.shape == (HEIGHT, WIDTH), name


def test_turned_by_what_does_not_fit_into_one_segment() -> None:
    """extended XMP is read"""
    more = struct.pack(">32sII", b"0" * 32, 1000, 0)
    extended = SPELLED["another prefix"]
    mark = b"http://ns.adobe.com/xmp/extension/\0"
    near(in_jpeg(more + extended, mark), turned_upright(LUMA, 6), 4)


@pytest.mark.parametrize("form", [BYTE, SHORT, LONG])
@pytest.mark.parametrize("order", "<>")
def test_turned_by_tiff_itself(form: int, order: str) -> None:
    """by its tag, of whatever type, and once"""
    for turn in range(1, 9):
        xmp = {700: in_tiff_tag(SPELLED["attribute"])}
        data = tiff((RGB, {274: (form, (turn,)), **xmp}), order=order)
        near(data, turned_upright(LUMA, turn))


def in_tiff_tag(xmp: bytes) -> Tag:
    return BYTE, tuple(xmp)


# Colours.


def profile(curve: bytes) -> bytes:
    """The profile of sRGB with another curve."""
    whole = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", whole, 128)
    for place in range(132, 132 + 12 * count, 12):
        if whole[place : place + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            offset, size = struct.unpack_from(">II", whole, place + 4)
            assert len(curve) <= size
            whole[offset : offset + len(curve)] = curve
    return bytes(whole)


LINEAR = profile(b"para" + bytes(4) + struct.pack(">HHi", 0, 0, 1 << 16))
SRGB = profile(b"")


LIT = luma(srgb_of_light(RGB))


def test_linear_light_in_png() -> None:
    """gAMA 1 becomes sRGB, in 8 and 16 bits, in grey and colour; not where sRGB is said, too"""
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    rows, deep = RGB.reshape(HEIGHT, -1), RGB.reshape(HEIGHT, -1).astype(np.uint16) * 257
    near(png(WIDTH, HEIGHT, png_stream(rows), color=2, extra=gamma), LIT)
    near(png(WIDTH, HEIGHT, png_stream(deep), color=2, depth=16, extra=gamma), LIT)
    near(png(WIDTH, HEIGHT, png_stream(GREY), extra=gamma), srgb_of_light(GREY))
    wide = GREY.astype(np.uint16) * 257
    near(png(WIDTH, HEIGHT, png_stream(wide), depth=16, extra=gamma), srgb_of_light(GREY))
    long = chunk(b"gAMA", struct.pack(">I", 100_000) + bytes(700))
    near(png(WIDTH, HEIGHT, png_stream(rows), color=2, extra=long), LIT)
    said = gamma + chunk(b"sRGB", b"\0")
    near(png(WIDTH, HEIGHT, png_stream(rows), color=2, extra=said), LUMA)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_an_embedded_profile(kind: str) -> None:
    """is honoured; that of sRGB changes nothing; a damaged one is not heeded"""
    options = {"lossless": True} if kind == "WEBP" else {} if kind == "TIFF" else {"quality": 95}
    for color in (True, False):
        near(encoded(RGB, kind, icc_profile=LINEAR, **options), LIT, 12, color=color)
        plain = decode(encoded(RGB, kind, **options), color=color).grey
        near(encoded(RGB, kind, icc_profile=SRGB, **options), plain, 0, color=color)
        near(encoded(RGB, kind, icc_profile=LINEAR[:200], **options), plain, 1, color=color)


def test_cmyk_of_others_than_adobe() -> None:
    """not inverted"""
    ink = Image.fromarray(RGB).convert("CMYK")
    data = encoded(Image.fromarray(255 - np.asarray(ink), "CMYK"), "JPEG", quality=95)
    place = data.index(b"\xff\xee")
    length = 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    near(data[:place] + data[place + length :], LUMA, 8)


def test_lossless_jpeg() -> None:
    """the same under every preprocessing"""
    data = lossless_jpeg(RGB)
    for color in (True, False):
        for factor in (1, 4):
            near(data, LUMA, color=color, reduction=lambda *_, factor=factor: factor)


# Which of several pictures.

SMALL = np.full((8, 12, 3), 200, np.uint8)
_SENSOR = (np.zeros((HEIGHT, WIDTH), np.uint16), {262: (SHORT, (32803,))})
_PREVIEW = {254: (LONG, (1,)), 274: (SHORT, (6,)), 50706: (BYTE, (1, 4, 0, 0))}


@pytest.mark.parametrize("sub", [True, False])
@pytest.mark.parametrize("order", "<>")
def test_a_preview_before_the_picture(sub: bool, order: str) -> None:
    """the large picture, turned as the file says"""
    data = tiff((SMALL, _PREVIEW), (RGB, {254: (LONG, (0,))}), order=order, sub=sub)
    near(data, turned_upright(LUMA, 6))


def test_a_preview_before_raw_values() -> None:
    """a row that says what it is, and never the preview"""
    for sub in (True, False):
        assert "raw photo" in reason(tiff((SMALL, _PREVIEW), _SENSOR, sub=sub))
    assert "raw photo" in reason(tiff((SMALL, {254: (LONG, (1,))}), _SENSOR, sub=True))
    assert "raw photo" in reason(tiff(_SENSOR))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_that_starts_blank(kind: str) -> None:
    """the first frame that shows anything"""
    frames = [Image.new("RGB", (WIDTH, HEIGHT), "white")] * 2 + [Image.fromarray(RGB)]
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    if kind != "GIF":
        frames[1:1] = [with_alpha(RGB).convert("RGB").point(lambda _: 7)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames > 1  # type: ignore[attr-defined]
    near(data, LUMA, 12 if kind == "GIF" else 1)


def test_a_png_of_xcode() -> None:
    """a row that says what it is"""
    data = encoded(RGB)
    data = data[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + data[8:]
    assert "Xcode" in reason(data)


# Bounds.


def _segments(count: int) -> bytes:
    return b"\xff\xd8" + b"\xff\xfe\0\2" * count + encoded(RGB, "JPEG")[2:]


def _scans(count: int) -> bytes:
    """A progressive picture whose last scan comes so often."""
    data = encoded(RGB, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


SLOW: dict[str, bytes] = {
    "filling behind a JPEG's start": b"\xff\xd8" + b"\xff" * 2_000_000,
    "filling in a JPEG": encoded(RGB, "JPEG")[:2] + b"\xff" * 2_000_000 + encoded(RGB, "JPEG")[2:],
    "segments of a JPEG": _segments(200_000),
    "scans of a JPEG": _scans(2000),
    "chunks of a PNG": png(WIDTH, HEIGHT, b"", extra=chunk(b"teSt") * 200_000),
    "what is nothing, in a JPEG": encoded(RGB, "JPEG")[:2] + b"\xff\0" * 1_000_000,
    "comments of a PGM": b"P5\n" + b"# a line\n" * 300_000 + b"1 1\n255\n\0",
    "one comment of a PGM": b"P5 1 1 #" + b"c" * 3_000_000 + b"\n255\n\0",
    "strips of a TIFF": tiff((GREY, {273: (LONG, (8,) * 300_000)})),
    "tags of a TIFF": b"II*\0\x08\0\0\0\xff\xff"
    + struct.pack("<HHII", 700, 1, 1 << 20, 8) * 65535
    + bytes(4),
}


@pytest.mark.parametrize("name", SLOW)
def test_much_work_for_few_bytes(name: str) -> None:
    """a row with the reason, at once"""
    before = time.process_time()
    assert "damaged image" in reason(SLOW[name])
    assert time.process_time() - before < 1


def test_a_long_name_in_a_sorted_tree() -> None:
    """cut at once"""
    before = time.process_time()
    name = next(places("\u00e9" * 240_000 + ".png"))
    assert len(name.encode()) <= 255
    assert name.endswith(".png")
    assert time.process_time() - before < 1


def test_what_many_writers_do() -> None:
    """some filling, a hundred segments, a dozen scans, comments: no fault"""
    data = encoded(RGB, "JPEG", progressive=True)
    near(data[:2] + b"\xff" * 50 + data[2:], LUMA, 6)
    near(b"\xff\xd8" + b"\xff\xfe\0\2" * 300 + data[2:], LUMA, 6)
    near(data[:2] + b"\xff\0" * 50 + data[2:], LUMA, 6)
    levels = " ".join(map(str, GREY.ravel())).encode()
    plain = b"P2 48 32 255\n" + b"#c\n" * 500_000 + levels.replace(b" ", b"#c\n")
    before = time.process_time()
    near(plain, GREY)
    assert time.process_time() - before < 1
    near(b"P6 #size\n48 32 # levels\n255\n" + RGB.tobytes(), LUMA)


def test_all_of_it_in_one_run(fmnist: Faulty, tmp_path: Path) -> None:
    """a row each, in bounds of time and memory"""
    files = {f"{number:03}.jpg": data for number, data in enumerate(SLOW.values())}
    files |= {f"t{number}.tif": tiff(one) for number, one in enumerate(DEEP.values())}
    files["s.tif"] = tiff((GREY, {277: (SHORT, (32512,))}))  # of which Pillow complains in its log
    outcome = fmnist("classify", as_folder(files, tmp_path / "in"), "-m", "cnn", "--workers", "1")
    assert outcome.code == 3, outcome.said
    assert "samples per pixel" not in outcome.said
    assert [row["status"] for row in outcome.rows] == ["error"] * (len(SLOW) + 1) + ["ok"] * len(
        DEEP
    )
