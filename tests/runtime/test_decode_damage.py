"""Damaged, cut-off and hostile files become a reason, never a crash and never half a picture."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kindsamples import HEIGHT, WIDTH, in_tiles, tiff
from pictures import chunk, encoded, exif, frame, png, png_stream, smooth

from fmnist_cli.contract import InputSpec
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import decode, looks_like_image
from fmnist_cli.errors import ImageError
from fmnist_cli.preprocess import MODES, needs_color, preprocess, reduction

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
    "large jpeg": encoded(smooth(460, 300, 3), "JPEG"),
    "rgba png": encoded(smooth(40, 30, 4)),
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
    [b"hello, I am a text", b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\n", bytes(4000)],
    ids=["text", "a program", "zeros"],
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


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
def test_a_marker_within_the_scan_of_a_jpeg_is_noticed(options: dict[str, Any]) -> None:
    data = encoded(smooth(460, 300, 3), "JPEG", **options)
    decode(data)
    middle = (data.index(b"\xff\xda") + len(data)) // 2
    for marker in (0x01, 0x7F, 0xBF, 0xC0, 0xC9, 0xD8, 0xF7):
        damaged = data[:middle] + bytes([0xFF, marker, 0x12]) + data[middle + 3 :]
        with pytest.raises(ImageError, match=rf"marker 0xFF{marker:02X} within"):
            decode(damaged)


def test_most_blocks_of_random_bytes_within_a_jpeg_are_noticed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 460, 3), dtype=np.uint8)
    data, rng = encoded(noise, "JPEG"), np.random.default_rng(1)
    starts = range(1024, len(data) - 2048, 2048)
    noticed = 0
    for start in starts:
        try:
            decode(data[:start] + rng.bytes(2048) + data[start + 2048 :])
        except ImageError:
            noticed += 1
    assert noticed > 0.7 * len(starts)


# Promising too much.


def patched(data: bytes, at: int, layout: str, *values: int) -> bytes:
    content = bytearray(data)
    struct.pack_into(layout, content, at, *values)
    return bytes(content)


GIF, TIFF = SAMPLES["gif"], SAMPLES["tiff"]
WEBP = encoded(GREY, "WEBP", exif=exif(6))  # with a canvas
SIDE = 50000
BOMBS = {
    "png": png(SIDE, SIDE, png_stream(GREY)),
    "rgb png": png(SIDE, SIDE, png_stream(GREY), color=2),
    "16-bit png": png(SIDE, SIDE, png_stream(GREY), depth=16),
    "jpeg": patched(JPEG := SAMPLES["jpeg"], JPEG.index(b"\xff\xc0") + 5, ">HH", SIDE, SIDE),
    "bmp": patched(SAMPLES["bmp"], 18, "<II", SIDE, SIDE),
    "pgm": b"P5 50000 50000 255\n" + bytes(50),
    "gif": patched(GIF, 6, "<HH", SIDE, SIDE),
    "gif frame": patched(GIF, GIF.index(b",\0\0\0\0") + 5, "<HH", SIDE, SIDE),
    "webp": WEBP[:24] + (SIDE - 1).to_bytes(3, "little") * 2 + WEBP[30:],
    "tiff": tiff(8, 1, bytes(9))
    .replace(struct.pack("<I", WIDTH), struct.pack("<I", SIDE))
    .replace(struct.pack("<I", HEIGHT), struct.pack("<I", SIDE)),
    "tiff tiles": in_tiles(SIDE),
}

WEIGH = """
import sys
from pathlib import Path
from fmnist_cli.errors import ImageError
from fmnist_cli.decode import decode

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

decode(Path(sys.argv[1]).read_bytes())  # loads everything
before = peak()
for name in sys.argv[2:]:
    try:
        decode(Path(name).read_bytes())
        print("decoded")
    except ImageError as error:
        print(error)
print(peak() - before)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_that_promises_too_much_is_rejected_with_its_size(name: str) -> None:
    size = "50000 × 50000 pixels, at most 120,000,000"
    if name == "gif frame":  # larger than its picture, which Pillow itself refuses
        size = "a frame of it has more than 120,000,000 pixels"
    assert reason(BOMBS[name]) == f"too large: {size}; see --max-pixels"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak of memory to read")
def test_no_memory_is_spent_on_promises(tmp_path: Path) -> None:
    paths = []
    for name, data in {"first": GIF, **BOMBS}.items():
        path = tmp_path / name.replace(" ", "-")
        path.write_bytes(data)
        paths.append(str(path))
    command = [sys.executable, "-X", "utf8", "-c", WEIGH, *paths]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    *reasons, megabytes = done.stdout.splitlines()
    assert len(reasons) == len(BOMBS)
    assert all(line.startswith("too large") for line in reasons)
    assert int(megabytes) < 20


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_limit_is_the_callers_and_holds_for_reduced_pictures_too(name: str) -> None:
    data = SAMPLES[name]
    height, width = decode(data).grey.shape
    assert decode(data, max_pixels=width * height).grey.size == width * height
    with pytest.raises(
        ImageError, match=rf"^too large: \d+ × \d+ .* at most {width * height - 1:,};"
    ):
        decode(data, max_pixels=width * height - 1, reduction=lambda *_: 8)


def test_a_small_picture_may_lie_in_a_larger_tile() -> None:
    with pytest.raises(ImageError, match=r"^damaged image"):
        decode(in_tiles(256), max_pixels=WIDTH * HEIGHT)


SPECS = [
    *((FRAME_SPEC, mode) for mode in MODES),
    (InputSpec(20, 30, "rgb", "letterbox"), "auto"),
]


def check_outcome(data: bytes, spec: InputSpec = FRAME_SPEC, mode: str = "auto") -> None:
    """Pixels or a reason in words; any other exception comes through."""
    try:
        picture = decode(data, reduction=reduction(spec, mode), color=needs_color(spec, mode))
        pixels, cause = preprocess(picture, spec, mode)[0], "none"
    except ImageError as error:
        pixels, cause = np.zeros(spec.shape, np.uint8), str(error)
    assert pixels.shape == spec.shape
    assert cause
    assert "\n" not in cause


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
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
    wanted=st.sampled_from(SPECS),
)
def test_changed_and_missing_bytes_raise_nothing_but_image_errors(
    name: str, edits: list[tuple[float, int]], kept: float, wanted: tuple[InputSpec, str]
) -> None:
    data = bytearray(SAMPLES[name])
    for place, value in edits:
        data[int(place * (len(data) - 1))] = value
    check_outcome(bytes(data[: round(kept * len(data))]), *wanted)


# Telling pictures by their first bytes.


@pytest.mark.parametrize("name", [n for n in SAMPLES if n != "ppm"])
def test_common_kinds_are_told_by_content(name: str) -> None:
    assert looks_like_image(SAMPLES[name][:16])


@pytest.mark.parametrize("head", [b"", b"B", b"BM", b"BMW drivers of 1999", b"RIFF1234WAVEfmt "])
def test_other_files_are_not_taken_for_pictures(head: bytes) -> None:
    assert not looks_like_image(head)
