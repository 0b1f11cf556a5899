"""Small pictures for a page, as data URIs."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fmnist_cli.contract import InputSpec, Picture, Pixels
from fmnist_cli.decode import MAX_PIXELS
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sources.items import MAX_BYTES, Item

if TYPE_CHECKING:
    from PIL import Image

SIDE = 96  # the longest edge of a thumbnail, pixels
_LOSSLESS = 32  # up to this edge PNG is small
# Those that `decode` reads; Pillow also knows kinds that start other programs.
_KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "HEIF")


class Thumbnails:
    """Callable: (item, preparation, model) → (thumbnail in colour, what the model saw).

    Each is a data URI, or None when it cannot be made; the thumbnail also when it would show
    the same again.

    Args:
        specs: what the models of the rows want, by the names that rows have for them.
        mode: with which the rows were made.
        max_pixels, max_bytes: as for the rows.
    """

    def __init__(
        self,
        specs: Mapping[str | None, InputSpec],
        mode: str = "auto",
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._specs = specs
        self._framing = Framing(
            *specs.values(), mode=mode, max_pixels=max_pixels, max_bytes=max_bytes
        )
        self._max_bytes = max_bytes

    def __call__(
        self, item: Item, prepared: str, model: str | None = None
    ) -> tuple[str | None, str | None]:
        """The two pictures of an item."""
        try:
            content = item.read(self._max_bytes)
            picture = self._framing.picture(content)
            seen, _ = self._framing.pixels(picture, self._specs[model], prepared)
        except Exception:  # gone, changed, or too large by now: the page shows the rest
            return None, None
        if picture.colorless and np.array_equal(picture.grey, seen):
            return None, _seen(seen)
        return self._thumbnail(content, picture), _seen(seen)

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


def _seen(pixels: Pixels) -> str:
    """What a model saw: pixel by pixel if it is small, else as a thumbnail."""
    from PIL import Image

    return _encoded(Image.fromarray(pixels))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind.lower()};base64,{b64encode(content).decode()}"
