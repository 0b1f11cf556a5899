"""Both paths give the same picture, and Pillow is loaded for the complete one only."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kindsamples import SAMPLES
from pictures import chunk, encoded, exif, png, png_stream, smooth
from PIL import Image, ImageCms

from fmnist_cli.contract import Picture
from fmnist_cli.decode import MAX_PIXELS, decode, read_header
from fmnist_cli.decode.complete import decode_complete
from fmnist_cli.decode.header import factor_for
from fmnist_cli.decode.plain import decode_plain


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


JPEG_TOLERANCE = 2  # grey levels, where OpenCV and Pillow are built with different libjpegs


def both(data: bytes, factor: int = 1, color: bool = False) -> tuple[Picture, Picture]:
    """The picture by either path."""
    header = read_header(data, MAX_PIXELS)
    assert header is not None
    assert header.plain, "not for the fast path"
    chosen = factor_for(header.width, header.height, lambda *_: factor) if header.is_jpeg else 1
    plain = decode_plain(data, header, chosen, color)
    assert plain is not None
    orientation = header.orientation if header.is_jpeg else None
    return plain, decode_complete(data, orientation, MAX_PIXELS, lambda *_: factor, color)


def check_same(data: bytes, factor: int = 1, tolerance: int = 0) -> Picture:
    for color in (True, False):
        plain, complete = both(data, factor, color)
        assert plain.grey.shape == complete.grey.shape
        assert (plain.colorless, plain.full) == (complete.colorless, complete.full)
        for ours, theirs in zip(plain, complete, strict=True):
            assert (ours is None) == (theirs is None)
            if isinstance(ours, np.ndarray):
                assert isinstance(theirs, np.ndarray)
                assert ours.shape[:2] == theirs.shape[:2] == plain.grey.shape
                assert np.abs(ours.astype(int) - theirs).max() <= tolerance
        assert color or plain.color is None
    return plain


# PNG.

MODES = {0: 1, 2: 3, 6: 4}  # colour type → channels
HARMLESS = {
    "background": lambda channels: chunk(b"bKGD", b"\0\x10" * min(channels, 3)),
    "gamma": lambda channels: chunk(b"gAMA", struct.pack(">I", 45_455)),
    "sRGB": lambda channels: chunk(b"gAMA", struct.pack(">I", 1)) + chunk(b"sRGB", b"\0"),
    "profile": lambda channels: (
        chunk(b"iCCP", b"of sRGB\0\0" + zlib.compress(srgb_profile())) if channels > 1 else b""
    ),
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


@pytest.mark.parametrize("alpha", [0, 90, 254])
def test_alpha_is_there_unless_it_is_opaque(alpha: int) -> None:
    rgba = np.full((20, 30, 4), (200, 30, 90, 255), np.uint8)
    opaque = check_same(encoded(rgba))
    assert opaque.alpha is None
    rgba[:5, :, 3] = alpha
    for data in (encoded(rgba), encoded(rgba, "WebP", lossless=True)):
        picture = decode(data, color=True)
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, rgba[..., 3])
        assert picture.color is not None
        np.testing.assert_array_equal(picture.color[5:], rgba[5:, :, :3])
        over = 255 - (255 - rgba[0, 0, :3].astype(float)) * alpha / 255
        assert np.abs(picture.color[0, 0] - over).max() <= 1
        assert abs(int(picture.grey[0, 0]) - over @ [0.299, 0.587, 0.114]) <= 2
    check_same(encoded(rgba))


def test_an_opaque_frame_with_an_alpha_channel_is_a_frame() -> None:
    grey = np.arange(784, dtype=np.uint32).reshape(28, 28).astype(np.uint8)
    picture = check_same(encoded(np.dstack([grey, grey, grey, np.full_like(grey, 255)])))
    assert picture.colorless
    np.testing.assert_array_equal(picture.grey, grey)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_colour_and_alpha_are_turned_like_grey(kind: str, turn: int) -> None:
    rgba = np.zeros((24, 40, 4), np.uint8)
    rgba[:, :20] = (250, 10, 10, 255)
    rgba[12:, 20:] = (10, 10, 250, 80)
    rgba[:12, 20:, 3] = 255
    pixels = rgba if kind != "JPEG" else rgba[..., :3]
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
    picture = decode(encoded(pixels, kind, exif=exif(turn), **options), color=True)
    assert picture.color is not None
    assert picture.color.shape[:2] == picture.grey.shape == ((40, 24) if turn > 4 else (24, 40))
    again = np.asarray(cv2.cvtColor(picture.color, cv2.COLOR_RGB2GRAY), np.uint8)
    assert np.abs(again.astype(int) - picture.grey).max() <= 1
    if kind != "JPEG":
        assert picture.alpha is not None
        pale = picture.color.min(axis=2) > 100  # what lies thin over white
        np.testing.assert_array_equal(pale, picture.alpha < 128)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16"])
def test_what_has_no_colour_has_none_when_asked(mode: str) -> None:
    image = Image.fromarray(np.full((9, 9), 80, np.uint8))
    image = image.convert("I;16") if mode == "I;16" else image.convert(mode)
    assert decode(encoded(image), color=True).color is None


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
from fmnist_cli.decode import decode
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
from fmnist_cli.decode import decode

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
from fmnist_cli.decode import decode
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
