"""Every kind of picture becomes the same upright grey, on whichever path."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pictures import Grey, chunk, encoded, exif, frame, png, png_stream, smooth
from PIL import Image, features

from fmnist_cli.decode import decode

WIDTH, HEIGHT = 40, 30
GREY = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
RGB = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
JPEG_TOLERANCE = 2  # grey levels between two decoders


def luma(rgb: npt.NDArray[np.uint8]) -> Grey:
    """ITU-R 601, rounded."""
    weights = np.array([0.299, 0.587, 0.114])
    levels: Grey = np.rint(rgb.astype(np.float64) @ weights).astype(np.uint8)
    return levels


def assert_close(actual: Grey, expected: Grey, tolerance: int) -> None:
    assert actual.dtype == np.uint8
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_lossless_grey_comes_back_bit_for_bit(kind: str) -> None:
    picture = decode(encoded(GREY, kind))
    np.testing.assert_array_equal(picture.grey, GREY)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_colour_becomes_its_luma(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = decode(encoded(RGB, kind, **options))
    assert_close(picture.grey, luma(RGB), 1)
    assert not picture.colorless


def test_a_palette_is_looked_up() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    expected = luma(np.asarray(palette.convert("RGB")))
    assert_close(decode(encoded(palette)).grey, expected, 1)


def test_a_transparent_palette_entry_is_white() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    expected = luma(np.asarray(palette.convert("RGB")))
    expected[np.asarray(palette) == 3] = 255
    picture = decode(encoded(palette, transparency=3))
    assert_close(picture.grey, expected, 1)
    assert not picture.colorless


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_lies_over_white(mode: str) -> None:
    alpha = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))
    image = Image.fromarray(RGB).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    grey = np.asarray(image.convert("RGBA").convert("RGB").convert("L"), np.float64)
    expected = np.rint(255 + (grey - 255) * alpha / 255).astype(np.uint8)
    picture = decode(encoded(image))
    assert_close(picture.grey, expected, 2)
    assert not picture.colorless


def test_one_bit_is_black_and_white() -> None:
    bits = GREY > 127
    picture = decode(encoded(Image.fromarray(bits)))
    np.testing.assert_array_equal(picture.grey, np.where(bits, 255, 0))
    assert picture.colorless


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    values = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    picture = decode(encoded(values, kind))
    assert_close(picture.grey, np.rint(values / 257).astype(np.uint8), 0)
    assert picture.colorless


def test_8_bit_grey_with_a_transparent_level_is_white_there() -> None:
    transparent = chunk(b"tRNS", b"\0" + bytes([GREY[0, 0]]))
    picture = decode(png(WIDTH, HEIGHT, png_stream(GREY), extra=transparent))
    np.testing.assert_array_equal(picture.grey, np.where(GREY[0, 0] == GREY, 255, GREY))
    assert not picture.colorless


def test_16_bit_grey_with_a_transparent_level_is_scaled_and_white_there() -> None:
    values = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    transparent = chunk(b"tRNS", b"\0\0")
    picture = decode(png(WIDTH, HEIGHT, png_stream(values), depth=16, extra=transparent))
    expected = np.rint(values / 257).astype(np.uint8)
    expected[values == 0] = 255
    assert_close(picture.grey, expected, 0)
    assert not picture.colorless


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_float_grey_counts_from_0_to_1_or_255(top: float) -> None:
    values = (GREY / np.float32(255 / top)).astype(np.float32)
    assert_close(decode(encoded(values, "TIFF")).grey, GREY, 0)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_of_any_make(channels: int, options: dict[str, Any]) -> None:
    pixels = smooth(WIDTH, HEIGHT, channels)
    picture = decode(encoded(pixels, "JPEG", quality=95, **options))
    assert_close(picture.grey, pixels if channels == 1 else luma(pixels), 4)
    assert picture.colorless == (channels == 1)


def test_a_cmyk_jpeg_is_not_inverted() -> None:
    pixels = smooth(WIDTH, HEIGHT, 3)
    image = Image.fromarray(pixels).convert("CMYK")
    assert_close(decode(encoded(image, "JPEG", quality=95)).grey, luma(pixels), 8)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8)) for level in (40, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decode(data).grey, np.full((HEIGHT, WIDTH), 40))


def test_avif_where_pillow_has_it() -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow is built without AVIF")
    pixels = smooth(WIDTH, HEIGHT)
    assert_close(decode(encoded(Image.fromarray(pixels), "AVIF", quality=95)).grey, pixels, 6)


# Upright, whatever the camera did.

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}  # upright → as stored under that orientation


@pytest.mark.parametrize("orientation", sorted(TURNS))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_turned_picture_equals_the_upright_one(kind: str, orientation: int) -> None:
    stored = np.ascontiguousarray(TURNS[orientation](GREY))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(stored, kind, exif=exif(orientation), **options)
    assert_close(decode(data).grey, GREY, 0)


@pytest.mark.parametrize("trailer", [b"", b"more"], ids=["opencv", "pillow"])
@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_a_turned_jpeg_equals_the_upright_one(orientation: int, trailer: bytes) -> None:
    # Whole 16×16 blocks: then turning before or after compression is the same.
    pixels = smooth(48, 32)
    stored = np.ascontiguousarray(TURNS[orientation](pixels))
    data = encoded(stored, "JPEG", quality=95, exif=exif(orientation)) + trailer
    assert_close(decode(data).grey, decode(encoded(pixels, "JPEG", quality=95)).grey, 2)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("trailer", [b"", b"more"], ids=["plain", "pillow"])
def test_a_rotation_said_in_xmp_alone_counts_too(trailer: bytes) -> None:
    data = encoded(smooth(48, 32), "JPEG", xmp=XMP) + trailer
    assert decode(data).grey.shape == (48, 32)


# Pillow warns of it; the command keeps such warnings from the user (`runtime.quiet`).
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_no_reason_to_reject() -> None:
    block = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\xff"
    extra = chunk(b"eXIf", block[6:])
    for data in (
        encoded(GREY, "JPEG", exif=block),
        encoded(GREY, "JPEG", exif=block) + b"more",
        png(WIDTH, HEIGHT, png_stream(GREY), extra=extra),
    ):
        assert decode(data).grey.shape == (HEIGHT, WIDTH)


# The two paths. A byte after a JPEG's end, or an empty text in a PNG, sends it to Pillow.


@pytest.mark.parametrize("size", [(28, 28), (40, 30), (1, 9), (9, 1), (1, 1)])
def test_both_paths_give_the_same_png(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, size[::-1], dtype=np.uint8)
    stream = png_stream(pixels)
    plain = decode(png(*size, stream))
    other = decode(png(*size, stream, extra=chunk(b"iTXt", b"Title\0\0\0\0\0")))
    np.testing.assert_array_equal(plain.grey, pixels)
    np.testing.assert_array_equal(other.grey, pixels)
    assert plain.colorless
    assert other.colorless


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("channels", [1, 3])
def test_both_paths_give_the_same_jpeg(channels: int, options: dict[str, Any]) -> None:
    # Strong colours as well: where RGB is clipped, luma made from it differs from the stored one.
    for pixels in (smooth(61, 47, channels), (RGB if channels == 3 else GREY)):
        data = encoded(pixels, "JPEG", quality=70, **options)
        plain, other = decode(data), decode(data + b"more")
        assert_close(plain.grey, other.grey, JPEG_TOLERANCE)
        assert plain.colorless == other.colorless


@pytest.mark.parametrize("size", [(1_100_000, 1), (1, 1_100_000)])
def test_sides_beyond_the_limits_of_opencv_go_the_other_way(size: tuple[int, int]) -> None:
    picture = decode(png(*size, png_stream(np.zeros(size[::-1], np.uint8))))
    assert picture.grey.shape == size[::-1]


# What counts as a frame.


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_grey_frame_is_untouched_and_colorless_even_as_rgb(kind: str, mode: str) -> None:
    pixels = frame()
    picture = decode(encoded(Image.fromarray(pixels).convert(mode), kind))
    np.testing.assert_array_equal(picture.grey, pixels)
    assert picture.colorless


def test_a_coloured_or_transparent_picture_of_28_pixels_is_not_colorless() -> None:
    coloured = RGB[:28, :28]
    transparent = Image.fromarray(frame())
    transparent.putalpha(128)
    assert not decode(encoded(coloured)).colorless
    assert not decode(encoded(smooth(28, 28, 3), "JPEG")).colorless
    assert not decode(encoded(transparent)).colorless
