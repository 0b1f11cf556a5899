"""Small pictures for a page, as data URIs."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import TYPE_CHECKING

import numpy as np

from fmnist_cli.prepare import Frame, Isolate, Picture
from fmnist_cli.runtime.framing import Framing
from fmnist_cli.runtime.sources.base import Item

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96  # the longest edge of a thumbnail, pixels
_LOSSLESS = 32  # up to this edge PNG is small
# Those that `decode` reads; Pillow also knows kinds that start other programs.
_KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "HEIF")


class Thumbnails:
    """Callable: (item, preparation) → (thumbnail in colour, frame that the model saw).

    Pictures are decoded as for `mode`, with which the rows were made. Each is a data URI, or
    None when it cannot be made; the thumbnail also when it would show the frame again.
    """

    def __init__(
        self, max_pixels: int, max_bytes: int, mode: str = "auto", isolate: Isolate | None = None
    ) -> None:
        self._framing = Framing(mode, isolate, max_pixels, max_bytes)
        self._max_bytes = max_bytes

    def __call__(self, item: Item, prepared: str) -> tuple[str | None, str | None]:
        """The two pictures of an item."""
        try:
            content = item.read(self._max_bytes)
            picture = self._framing.picture(content)
            frame = self._framing.again(picture, prepared)
        except Exception:  # gone, changed, or too large by now: the page shows the rest
            return None, None
        if picture.colorless and np.array_equal(picture.grey, frame):
            return None, _png(frame)
        return self._thumbnail(content, picture), _png(frame)

    def _thumbnail(self, content: bytes | Picture, picture: Picture) -> str | None:
        from PIL import Image

        try:
            if isinstance(content, bytes):
                return _encoded(_in_colour(content))
        except Exception:  # noqa: S110  decoders raise anything; there is the grey picture still
            pass
        return _encoded(Image.fromarray(picture.grey))


def _in_colour(data: bytes) -> Image.Image:
    """An upright RGB picture, over white, at most `SIDE` on its longest edge."""
    from PIL import Image, ImageOps

    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # `decode` was here before and knows the limit
    with Image.open(io.BytesIO(data), formats=[kind for kind in _KINDS if kind in Image.OPEN]) as f:
        f.draft("RGB", (2 * SIDE, 2 * SIDE))
        if f.mode.startswith(("I", "F")):
            raise ValueError("more than 8 bits; the grey picture has them scaled")
        orientation = f.getexif().get(0x0112, 1)
        image = f.convert("RGBA" if f.has_transparency_data else "RGB")
    image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    image.getexif()[0x0112] = orientation
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _encoded(image: Image.Image) -> str:
    image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    kind, options = ("PNG", {}) if max(image.size) <= _LOSSLESS else ("JPEG", {"quality": 80})
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **options)
    return _data_uri(kind, buffer.getvalue())


def _png(frame: Frame) -> str:
    import cv2

    return _data_uri("PNG", cv2.imencode(".png", frame)[1].tobytes())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind.lower()};base64,{b64encode(content).decode()}"
