"""Both paths give the same picture, and Pillow is loaded for the complete one only."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kindsamples import SAMPLES
from pictures import chunk, encoded, exif, png, png_stream, smooth

from fmnist_cli.prepare.picture import Picture
from fmnist_cli.runtime.decode import MAX_PIXELS, read_header
from fmnist_cli.runtime.decode.complete import decode_complete
from fmnist_cli.runtime.decode.header import factor_for
from fmnist_cli.runtime.decode.plain import decode_plain

JPEG_TOLERANCE = 2  # grey levels, where OpenCV and Pillow are built with different libjpegs


def both(data: bytes, factor: int = 1) -> tuple[Picture, Picture]:
    """The picture by either path."""
    header = read_header(data, MAX_PIXELS)
    assert header is not None
    assert header.plain, "not for the fast path"
    chosen = factor_for(header.width, header.height, lambda *_: factor) if header.is_jpeg else 1
    plain = decode_plain(data, header, chosen)
    assert plain is not None
    orientation = header.orientation if header.is_jpeg else None
    return plain, decode_complete(data, orientation, MAX_PIXELS, lambda *_: factor)


def check_same(data: bytes, factor: int = 1, tolerance: int = 0) -> Picture:
    plain, complete = both(data, factor)
    assert plain.grey.shape == complete.grey.shape
    assert (plain.colorless, plain.full) == (complete.colorless, complete.full)
    assert np.abs(plain.grey.astype(int) - complete.grey).max() <= tolerance
    return plain


# PNG.

MODES = {0: 1, 2: 3, 6: 4}  # colour type → channels
HARMLESS = {
    "background": lambda channels: chunk(b"bKGD", b"\0\x10" * min(channels, 3)),
    "gamma": lambda channels: chunk(b"gAMA", struct.pack(">I", 100_000)),
    "bits": lambda channels: chunk(b"sBIT", b"\5" * channels),
    "density": lambda channels: chunk(b"pHYs", struct.pack(">IIB", 300, 300, 1)),
    "text": lambda channels: chunk(b"tEXt", b"Title\0shoe"),
}


@pytest.mark.parametrize("color", MODES)
@pytest.mark.parametrize("size", [(28, 28), (31, 17), (1, 1), (1, 9), (9, 1), (200, 90)])
def test_a_png_is_the_same_by_both_paths(color: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 256, (size[1], size[0] * MODES[color]), dtype=np.uint8)
    stream = png_stream(rows)
    picture = check_same(png(*size, stream, color=color))
    assert picture.grey.shape == size[::-1]
    for extra in HARMLESS.values():
        again = check_same(png(*size, stream, color=color, extra=extra(MODES[color])))
        np.testing.assert_array_equal(again.grey, picture.grey)


def test_a_frame_stored_as_colour_is_grey_by_both_paths() -> None:
    grey = np.arange(784, dtype=np.uint8).reshape(28, 28)
    picture = check_same(encoded(np.repeat(grey[:, :, None], 3, axis=2)))
    np.testing.assert_array_equal(picture.grey, grey)
    assert picture.colorless


# JPEG.

OPTIONS = st.fixed_dictionaries(
    {"quality": st.integers(5, 100), "progressive": st.booleans()},
    optional={"restart_marker_blocks": st.integers(1, 5), "optimize": st.just(True)},
)


@settings(max_examples=120, deadline=None, derandomize=True)
@example(width=449, height=1, channels="4:2:0", turn=6, factor=8, options={}, noisy=False)
@given(
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    channels=st.sampled_from(["grey", "4:4:4", "4:2:2", "4:2:0", "rgb"]),
    turn=st.integers(0, 9),
    factor=st.sampled_from([1, 2, 4, 8]),
    options=OPTIONS,
    noisy=st.booleans(),
)
def test_a_jpeg_is_the_same_by_both_paths(
    width: int,
    height: int,
    channels: str,
    turn: int,
    factor: int,
    options: dict[str, Any],
    noisy: bool,
) -> None:
    colours = 1 if channels == "grey" else 3
    assume((width, height) != (28, 28))
    pixels = smooth(width, height, colours)
    if noisy:
        # Strong colours: where RGB is clipped, luma made from it differs from the stored one.
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    if channels == "rgb":
        options = {**options, "keep_rgb": True}
    elif colours == 3:
        options = {**options, "subsampling": channels}
    data = encoded(pixels, "JPEG", exif=exif(turn), **options)
    picture = check_same(data, factor, JPEG_TOLERANCE)
    shape = (width, height) if 5 <= turn <= 8 else (height, width)
    reduced = factor if min(shape) >= factor else 1
    assert picture.grey.shape == tuple(-(-side // reduced) for side in shape)
    assert picture.full in (None, shape)


# What is loaded.

SCRIPT = """
import sys
from pathlib import Path
from fmnist_cli.runtime.decode import decode
for name in sys.argv[1:]:
    decode(Path(name).read_bytes(), reduction=lambda *_: 2)
print(*(name for name in ("PIL", "pillow_heif") if name in sys.modules))
"""


def loaded(tmp_path: Path, *kinds: str) -> list[str]:
    paths = []
    for number, kind in enumerate(kinds):
        path = tmp_path / str(number)
        path.write_bytes(SAMPLES[kind].make()[0])
        paths.append(str(path))
    return run(SCRIPT, *paths).split()


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plain_pictures_do_without_pillow(tmp_path: Path) -> None:
    kinds = ["PNG, 8-bit grey", "PNG, 8-bit colour", "PNG, 8-bit colour with alpha"]
    assert loaded(tmp_path, *kinds, "JPEG, grey", "JPEG, colour", "JPEG, progressive") == []


def test_other_pictures_load_pillow_but_no_plug_in(tmp_path: Path) -> None:
    assert loaded(tmp_path, "PNG, 8-bit grey", "GIF") == ["PIL"]


TOGETHER = """
import sys, threading
from pathlib import Path
from fmnist_cli.runtime.decode import decode

contents = [Path(name).read_bytes() for name in sys.argv[1:]]
start = threading.Barrier(len(contents))
shapes = [None] * len(contents)

def work(number):
    start.wait()
    shapes[number] = decode(contents[number]).grey.shape

threads = [threading.Thread(target=work, args=(number,)) for number in range(len(contents))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(set(shapes)), shapes[0])
"""


def test_threads_may_meet_unusual_pictures_all_at_once(tmp_path: Path) -> None:
    kinds = ["GIF", "WebP", "TIFF, 8-bit", "BMP", "Netpbm", "JPEG, CMYK", "AVIF", "HEIC"]
    paths = []
    for kind in (kind for kind in kinds if SAMPLES[kind].available):
        for copy in range(2):
            path = tmp_path / f"{kind}{copy}".replace(" ", "")
            path.write_bytes(SAMPLES[kind].make()[0])
            paths.append(str(path))
    for _ in range(3):
        assert run(TOGETHER, *paths) == "1 (32, 48)\n"


# What has to be installed.

WITHOUT = """
import sys
from pathlib import Path
sys.modules["pillow_heif"] = None  # as if it were not installed
from fmnist_cli.errors import ImageError
from fmnist_cli.runtime.decode import decode
try:
    decode(Path(sys.argv[1]).read_bytes())
except ImageError as error:
    print(error)
"""
HEIC_HEAD = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(40)


def test_heic_without_the_plug_in_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    path.write_bytes(HEIC_HEAD)
    assert run(WITHOUT, str(path)) == "HEIC needs a plug-in: pip install pillow-heif\n"
