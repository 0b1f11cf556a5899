"""Originals and what became of them: a PNG for each, and a page with all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2

from fmnist_cli.album.draw import PANEL, SMALL, Color, in_color, panels
from fmnist_cli.album.folder import PAGE, file_names
from fmnist_cli.album.page import data_uri, document, numbers, refused
from fmnist_cli.contract import InputSpec, Pixels, Rejected
from fmnist_cli.decode import decode
from fmnist_cli.errors import ImageError
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.preprocess import reduction
from fmnist_cli.preprocess.pipeline import Prepared
from fmnist_cli.preprocess.resize import resize
from fmnist_cli.sinks.gallery.page import text
from fmnist_cli.sinks.text import printable
from fmnist_cli.sources.items import Item

_WORDS = {
    "frame": "taken as it is",
    "product": "trimmed on its plain background",
    "letterbox": "the whole picture, on grey",
}
# Large enough to be looked at.
_shown = reduction(InputSpec(PANEL, PANEL, "rgb", "letterbox"))


class Pair(NamedTuple):
    """A picture before and after.

    Attributes:
        source: its path.
        original: uint8 [H, W, 3], RGB, small.
        pixels: uint8 [H, W] or [H, W, 3], what the model sees.
        prepared: name of the preparation.
    """

    source: str
    original: Color
    pixels: Pixels
    prepared: str


def original_of(item: Item, max_pixels: int, max_bytes: int) -> Color:
    """The picture in colour and upright, uint8 [H, W, 3], at most as large as a panel.

    Raises:
        ImageError: it cannot be read, with the reason.
    """
    picture = item.read(max_bytes)
    if isinstance(picture, bytes):
        picture = decode(picture, max_pixels=max_pixels, reduction=_shown, color=True)
    color = in_color(picture.grey) if picture.color is None else picture.color
    height, width = picture.full or picture.grey.shape
    scale = min(1, PANEL / max(height, width))
    try:
        return resize(color, max(1, round(width * scale)), max(1, round(height * scale)))
    except (MemoryError, cv2.error) as error:
        raise ImageError(f"cannot be shown: {error or 'out of memory'}") from error


def write_album(out: Path, pairs: Sequence[Pair], rejected: Sequence[Rejected | Prepared]) -> None:
    """A PNG per picture, and ``index.html`` with all of them.

    Args:
        out: made when missing; files of the same names are replaced, others stay.
        pairs: what could be read.
        rejected: what could not.
    """
    names = file_names([pair.source for pair in pairs])
    for pair, name in zip(pairs, names, strict=True):
        parts = [("original", pair.original), ("as the model sees it", in_color(pair.pixels))]
        caption = f"{pair.prepared}: {_WORDS[pair.prepared]}"
        image = panels(parts, caption, printable(pair.source))
        replace_file(out / name, partial(image.save, format="PNG"))
    body = _body(pairs, names, [row for row in rejected if isinstance(row, Rejected)])
    below = "The original, and what the model sees of it"
    write_text(out / PAGE, "".join(document("Prepared pictures", "Prepared pictures", below, body)))


def _body(
    pairs: Sequence[Pair], names: Sequence[str], rejected: Sequence[Rejected]
) -> Iterator[str]:
    counts = {"pictures": len(pairs)}
    for prepared in _WORDS:
        if count := sum(pair.prepared == prepared for pair in pairs):
            counts[prepared] = count
    if rejected:
        counts["rejected"] = len(rejected)
    yield numbers(counts)
    yield from refused(rejected)
    yield '<ul class="cards album pairs" id="pictures" tabindex="-1">\n'
    for pair, name in zip(pairs, names, strict=True):
        source, (height, width) = text(pair.source), pair.pixels.shape[:2]
        seen = data_uri(pair.pixels, "png" if max(height, width) <= SMALL else "jpeg")
        yield (
            '<li class="card"><figure><div class="pictures">'
            f'<img class="original" src="{data_uri(pair.original, "jpeg")}" alt="{source}">'
            f'<img src="{seen}" width="{width}" height="{height}"'
            f' alt="{source} as the model sees it"></div><figcaption>'
            f'<p class="verdict">{pair.prepared}</p><p class="soft">{_WORDS[pair.prepared]}</p>'
            f'<p class="path">{source} · {text(name)}</p></figcaption></figure></li>\n'
        )
    yield "</ul>\n"
