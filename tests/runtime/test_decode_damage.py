"""Damaged, cut-off and hostile files become a reason, never a crash and never half a picture."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pictures import chunk, encoded, exif, frame, png, png_stream, smooth

from fmnist_cli.errors import ImageError
from fmnist_cli.runtime.decode import decode, looks_like_image

GREY = frame(4)
NOISE = np.random.default_rng(5).integers(0, 256, (90, 120), dtype=np.uint8)
# The chunk keeps a picture off the OpenCV path and changes nothing else.
PATHS = {"opencv": b"", "pillow": chunk(b"iTXt", b"Title\0\0\0\0\0")}

SAMPLES = {
    "grey png": encoded(GREY),
    "noisy png": encoded(NOISE),
    "rgb png": encoded(smooth(40, 30, 3)),
    "jpeg": encoded(smooth(60, 44, 3), "JPEG"),
    "grey jpeg": encoded(smooth(60, 44), "JPEG"),
    "progressive jpeg": encoded(smooth(60, 44, 3), "JPEG", progressive=True),
    "jpeg with exif": encoded(smooth(60, 44, 3), "JPEG", exif=exif(6)),
    "frame jpeg": encoded(GREY, "JPEG"),
    "gif": encoded(GREY, "GIF"),
    "webp": encoded(smooth(40, 30, 3), "WEBP"),
    "tiff": encoded(GREY, "TIFF"),
    "lzw tiff": encoded(GREY, "TIFF", compression="tiff_lzw"),
    "bmp": encoded(GREY, "BMP"),
    "ppm": encoded(GREY, "PPM"),
}


# Two checksums, an empty last block and the end chunk: without them a PNG has all its pixels.
TRAILING = 24


def reason(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data)
    return str(caught.value)


def test_an_empty_file_is_called_empty() -> None:
    assert reason(b"") == "empty file"


@pytest.mark.parametrize(
    "data",
    [b"hello, I am a text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", bytes(4000)],
    ids=["text", "a kind that starts a program", "zeros"],
)
def test_what_is_no_picture_is_called_so(data: bytes) -> None:
    assert "not an image" in reason(data)


@pytest.mark.parametrize("name", ["grey png", "noisy png", "rgb png"])
def test_a_cut_off_png_is_rejected_or_whole(name: str) -> None:
    check_all_cuts(SAMPLES[name])


@pytest.mark.parametrize("name", [n for n in SAMPLES if "jpeg" in n])
def test_a_cut_off_jpeg_is_rejected_or_whole(name: str) -> None:
    check_all_cuts(SAMPLES[name])


def check_all_cuts(data: bytes) -> None:
    whole = decode(data).grey
    cuts = range(0, len(data), max(1, len(data) // 250))
    for cut in (*cuts, *range(len(data) - TRAILING, len(data))):
        try:
            picture = decode(data[:cut])
        except ImageError:
            continue
        np.testing.assert_array_equal(picture.grey, whole, err_msg=f"cut at {cut}")
        assert len(data) - cut <= TRAILING, "so much was missing that pixels must be, too"


@pytest.mark.parametrize("path", PATHS)
def test_a_flipped_bit_within_the_pixels_of_a_png_is_noticed(path: str) -> None:
    data = png(120, 90, png_stream(NOISE), extra=PATHS[path])
    start = data.index(b"IDAT") + 4
    for position in range(start, len(data) - 16, 97):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        assert "wrong checksum in 'IDAT'" in reason(bytes(flipped))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("part", [b"IHDR", b"IDAT", b"IEND"])
def test_a_flipped_bit_in_a_checksum_is_noticed(path: str, part: bytes) -> None:
    data = bytearray(png(28, 28, png_stream(GREY), extra=PATHS[path]))
    length = int.from_bytes(data[data.index(part) - 4 : data.index(part)], "big")
    data[data.index(part) + 4 + length] ^= 1
    assert "wrong checksum" in reason(bytes(data))


def test_a_wrong_checksum_where_no_pixels_are_does_not_matter() -> None:
    comment = bytearray(chunk(b"tEXt", b"Title\0shoe"))
    comment[-1] ^= 1
    data = png(28, 28, png_stream(GREY), extra=bytes(comment))
    np.testing.assert_array_equal(decode(data).grey, GREY)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(png_stream(GREY)[:-40], id="cut stream"),
        pytest.param(b"\xff" * 300, id="no stream"),
        pytest.param(zlib.compress(b"\x09" * (29 * 28)), id="unknown filter"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_png_without_all_its_pixels_is_rejected_on_both_paths(stream: bytes, path: str) -> None:
    assert "damaged image" in reason(png(28, 28, stream, extra=PATHS[path]))


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_a_png_without_area_is_rejected(size: tuple[int, int]) -> None:
    reason(png(*size, zlib.compress(b"")))


def bomb_jpeg() -> bytes:
    data = bytearray(SAMPLES["grey jpeg"])
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = (60000).to_bytes(2, "big") * 2
    return bytes(data)


def bomb_bmp() -> bytes:
    data = bytearray(SAMPLES["bmp"])
    data[18:26] = (60000).to_bytes(4, "little") * 2
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(60000, 60000, png_stream(GREY)), id="png"),
        pytest.param(png(60000, 60000, png_stream(GREY), color=2), id="rgb png"),
        pytest.param(bomb_jpeg(), id="jpeg"),
        pytest.param(bomb_bmp(), id="bmp"),
        pytest.param(b"P5 60000 60000 255\n" + bytes(50), id="pgm"),
    ],
)
def test_a_header_that_promises_too_much_is_rejected_without_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        assert reason(data).startswith("too large: 60000 × 60000 pixels, at most 120,000,000")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def check_outcome(data: bytes) -> None:
    """A picture with pixels or a reason in words; any other exception comes through."""
    try:
        pixels, cause = decode(data).grey, "none"
    except ImageError as error:
        pixels, cause = GREY, str(error)
    assert pixels.ndim == 2
    assert pixels.size
    assert cause


HEADS = [b"", *(data[:40] for data in SAMPLES.values()), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]


@settings(max_examples=200, deadline=None, derandomize=True)
@example(b"\xff\xd8\xff" + b"\xff" * 20)
@example(b"\xff\xd8\xff\xe0\0\0" + bytes(30))
@given(st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=200)))
def test_arbitrary_bytes_raise_nothing_but_image_errors(data: bytes) -> None:
    looks_like_image(data)
    check_outcome(data)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_changed_bytes_raise_nothing_but_image_errors(
    name: str, edits: list[tuple[float, int]]
) -> None:
    data = bytearray(SAMPLES[name])
    for place, value in edits:
        data[int(place * (len(data) - 1))] = value
    check_outcome(bytes(data))


# Telling pictures by their first bytes.


@pytest.mark.parametrize("name", [n for n in SAMPLES if n != "ppm"])
def test_common_kinds_are_told_by_content(name: str) -> None:
    assert looks_like_image(SAMPLES[name][:16])


@pytest.mark.parametrize("head", [b"", b"B", b"BM", b"BMW drivers of 1999", b"RIFF1234WAVEfmt "])
def test_other_files_are_not_taken_for_pictures(head: bytes) -> None:
    assert not looks_like_image(head)
