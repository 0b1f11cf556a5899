"""One file of each kind in docs/decoding.md, with the grey that it has to become."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from pictures import Grey, chunk, encoded, exif, png, png_stream, smooth
from PIL import Image, features

WIDTH, HEIGHT = 48, 32
TOP_LEFT = 20  # transparent pixels: this many, from the top left


def luma(rgb: npt.NDArray[np.uint8]) -> Grey:
    """ITU-R 601, rounded."""
    weights = np.array([0.299, 0.587, 0.114])
    levels: Grey = np.rint(rgb.astype(np.float64) @ weights).astype(np.uint8)
    return levels


GREY = smooth(WIDTH, HEIGHT)
RGB = smooth(WIDTH, HEIGHT, 3)
LUMA = luma(RGB)
ALPHA = np.full((HEIGHT, WIDTH), 255, np.uint8)
ALPHA[:TOP_LEFT, :TOP_LEFT] = 0
WHITE = 255


def with_alpha(pixels: Grey) -> Image.Image:
    image = Image.fromarray(pixels)
    image.putalpha(Image.fromarray(ALPHA))
    return image


def on_white(grey: Grey) -> Grey:
    return np.where(ALPHA == 0, np.uint8(WHITE), grey)


def palette() -> tuple[bytes, Grey]:
    image = Image.fromarray(RGB).quantize(16)
    grey = luma(np.asarray(image.convert("RGB")))
    grey[np.asarray(image) == 3] = WHITE
    return encoded(image, transparency=3), grey


def transparent_colour() -> tuple[bytes, Grey]:
    colour = RGB[5, 5]
    chosen = chunk(b"tRNS", struct.pack(">3H", *map(int, colour)))
    data = png(WIDTH, HEIGHT, png_stream(RGB.reshape(HEIGHT, -1)), color=2, extra=chosen)
    return data, np.where((colour == RGB).all(axis=2), np.uint8(WHITE), LUMA)


def one_bit() -> tuple[bytes, Grey]:
    bits = GREY > 127
    return encoded(Image.fromarray(bits)), np.where(bits, 255, 0).astype(np.uint8)


def wide(kind: str) -> tuple[bytes, Grey]:
    values = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    return encoded(values, kind), np.rint(values / 257).astype(np.uint8)


def tiff(bits: int, photometric: int, strip: bytes, **sides: int) -> bytes:
    """A TIFF written by hand: one uncompressed strip, or tiles of these `sides`."""
    tags = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: photometric, 277: 1}
    if sides:
        tags |= {259: 8, 322: sides["width"], 323: sides["height"], 324: 8, 325: len(strip)}
    else:
        tags |= {273: 8, 278: HEIGHT, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory


def twelve_bits() -> tuple[bytes, Grey]:
    values = np.linspace(0, 4095, WIDTH * HEIGHT).astype(np.uint16).reshape(-1, 2)
    first, second = values[:, 0], values[:, 1]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1)
    grey = np.rint(values.reshape(HEIGHT, WIDTH) * (255 / 4095)).astype(np.uint8)
    return tiff(12, 1, packed.astype(np.uint8).tobytes()), grey


def animated(kind: str, **options: Any) -> bytes:
    """Two frames, of which the first is `RGB` with `ALPHA`."""
    second = Image.new("RGBA", (WIDTH, HEIGHT), "red")
    return encoded(with_alpha(RGB), kind, save_all=True, append_images=[second], **options)


def gif() -> tuple[bytes, Grey]:
    data = animated("GIF")
    with Image.open(io.BytesIO(data)) as image:
        rgba = np.asarray(image.convert("RGBA"))
    return data, np.where(rgba[:, :, 3] == 0, np.uint8(WHITE), luma(rgba[:, :, :3]))


def heic() -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(with_alpha(RGB)).save(buffer, quality=95)
    return buffer.getvalue()


def psd(pixels: Grey, bits: int = 8) -> bytes:
    """A Photoshop file without layers: the flattened picture, channel by channel."""
    height, width, channels = pixels.shape
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, channels, height, width, bits, 3)
    return head + bytes(12) + b"\0\0" + pixels.transpose(2, 0, 1).tobytes()


def linear() -> bytes:
    """A PNG whose values are proportional to light."""
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    return png(WIDTH, HEIGHT, png_stream(RGB.reshape(HEIGHT, -1)), color=2, extra=gamma)


def srgb_of_light(levels: npt.NDArray[Any]) -> Grey:
    light = levels / 255.0
    bent = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(bent * 255).astype(np.uint8)


def lossless_jpeg(rgb: Grey) -> bytes:
    """A JPEG of process 14 in three components, each pixel predicted by its left neighbour."""
    height, width, _ = rgb.shape
    before = np.concatenate([rgb[:, :1].astype(int), rgb[:, :-1]], axis=1)
    before[1:, 0], before[0, 0] = rgb[:-1, 0], 128
    bits = []
    for difference in (rgb.astype(int) - before).ravel().tolist():
        size = abs(difference).bit_length()  # coded by itself in 4 bits
        value = difference if difference >= 0 else difference + (1 << size) - 1
        bits.append(f"{size:04b}" + (f"{value:0{size}b}" if size else ""))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    table = b"\0" + bytes([0, 0, 0, 10, *bytes(12)]) + bytes(range(10))
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(
        bytes([c, 0x11, 0]) for c in b"RGB"
    )
    start = b"\3" + b"".join(bytes([c, 0]) for c in b"RGB") + b"\1\0\0"
    parts = [(0xC3, frame), (0xC4, table), (0xDA, start)]
    head = b"".join(b"\xff" + bytes([m]) + struct.pack(">H", len(c) + 2) + c for m, c in parts)
    return b"\xff\xd8" + head + scan + b"\xff\xd9"


@dataclass(frozen=True)
class Sample:
    """How to make a file, and how far its decoded grey may be off."""

    make: Callable[[], tuple[bytes, Grey]]
    tolerance: int = 1
    available: bool = True


def _lossy(kind: str, pixels: Grey, grey: Grey, after: bytes = b"", **options: Any) -> Sample:
    return Sample(lambda: (encoded(pixels, kind, quality=95, **options) + after, grey), 4)


def _exact(kind: str, image: Grey | Image.Image, grey: Grey, **options: Any) -> Sample:
    return Sample(lambda: (encoded(image, kind, **options), grey))


_CMYK = Image.fromarray(RGB).convert("CMYK")
_SMALL = smooth(28, 28, 3)

# By the first column of the table.
SAMPLES: dict[str, Sample] = {
    "PNG, 8-bit grey": _exact("PNG", GREY, GREY),
    "PNG, 8-bit colour": _exact("PNG", RGB, LUMA),
    "PNG, 8-bit colour with alpha": _exact("PNG", with_alpha(RGB), on_white(LUMA)),
    "PNG, grey with alpha": _exact("PNG", with_alpha(GREY), on_white(GREY)),
    "PNG with a palette": Sample(palette),
    "PNG with a transparent colour": Sample(transparent_colour),
    "PNG, 1 bit": Sample(one_bit, 0),
    "PNG, 16-bit grey": Sample(lambda: wide("PNG"), 0),
    "PNG with EXIF or XMP": _exact("PNG", RGB, luma(np.rot90(RGB, -1)), exif=exif(6)),
    "PNG with a gamma or profile of its own": Sample(lambda: (linear(), luma(srgb_of_light(RGB)))),
    "PNG, animated": Sample(lambda: (animated("PNG"), on_white(LUMA))),
    "JPEG, grey": _lossy("JPEG", GREY, GREY),
    "JPEG, colour": _lossy("JPEG", RGB, LUMA),
    "JPEG, progressive": _lossy("JPEG", RGB, LUMA, progressive=True),
    "JPEG with more behind its end": _lossy("JPEG", RGB, LUMA, after=b"more"),
    "JPEG, colour, 28×28": _lossy("JPEG", _SMALL, luma(_SMALL)),
    "JPEG, CMYK": Sample(lambda: (encoded(_CMYK, "JPEG", quality=95), LUMA), 8),
    "JPEG, lossless": Sample(lambda: (lossless_jpeg(RGB), LUMA)),
    "JPEG 2000": Sample(lambda: (encoded(RGB, "JPEG2000"), LUMA), 1, features.check("jpg_2000")),
    "GIF": Sample(gif),
    "WebP": Sample(lambda: (animated("WEBP", lossless=True), on_white(LUMA))),
    "TIFF, 8-bit": _exact("TIFF", with_alpha(RGB), on_white(LUMA)),
    "TIFF, 12-bit grey": Sample(twelve_bits, 0),
    "TIFF, 16-bit grey": Sample(lambda: wide("TIFF"), 0),
    "TIFF, floats": _exact("TIFF", (GREY / np.float32(255)).astype(np.float32), GREY),
    "BMP": _exact("BMP", RGB, LUMA),
    "Netpbm": _exact("PPM", RGB, LUMA),
    "TGA": _exact("TGA", with_alpha(RGB), on_white(LUMA)),
    "PSD": Sample(lambda: (psd(RGB), LUMA)),
    "ICO": _exact("ICO", with_alpha(RGB), on_white(LUMA), sizes=[(WIDTH, HEIGHT)]),
    "QOI": _exact("QOI", with_alpha(RGB), on_white(LUMA)),
    "PCX": _exact("PCX", RGB, LUMA),
    "SGI": _exact("SGI", with_alpha(RGB), on_white(LUMA)),
    "AVIF": Sample(
        lambda: (encoded(with_alpha(RGB), "AVIF", quality=95), on_white(LUMA)),
        12,
        features.check("avif"),
    ),
    "HEIC": Sample(lambda: (heic(), on_white(LUMA)), 12, find_spec("pillow_heif") is not None),
}


def white_zero() -> tuple[bytes, Grey]:
    """A TIFF of 16 bits in which 0 is white."""
    values = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    return tiff(16, 0, values.tobytes()), 255 - np.rint(values / 257).astype(np.uint8)


def in_tiles(side: int) -> bytes:
    """A TIFF that promises tiles of this side, and holds next to nothing."""
    return tiff(8, 1, zlib.compress(bytes(100)), width=side, height=side)
