"""A folder of pictures side by side, with a page of them: what `explain` and `prepare` write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image, ImageDraw, ImageFont

from fmnist_cli.contract import Rejected, printable
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.html.contact_sheet import SMALL, Card, Color, Shown, data_uri, in_color
from fmnist_cli.html.page import render
from fmnist_cli.preprocess.pipeline import Prepared

T = TypeVar("T")

PAGE = "index.html"
SCALE = 8  # of the pixels of a frame
PANEL = 28 * SCALE  # pixels of a side
_GAP = 8
_TITLE = 22
_LINE = 22
_LONGEST = 300  # letters that could fit a line
_PAPER, _INK, _SOFT = "#14171b", "#e8eaed", "#a6afba"
_WORDS = {
    "frame": "taken as it is",
    "product": "trimmed on its plain background",
    "letterbox": "the whole picture, on grey",
}


def file_names(sources: Sequence[str]) -> list[str]:
    """``0001-coat.png`` and so on: the number of the picture, and what is left of its name."""
    width = max(4, len(str(len(sources))))
    names = []
    for number, source in enumerate(sources, start=1):
        # Of a name only what every file system takes, and no folders.
        stem = re.sub(r"\.\w{1,5}$", "", source.rpartition("/")[2])
        plain = re.sub(r"[^\w-]+", "-", stem, flags=re.ASCII).strip("-")[:60]
        names.append(f"{number:0{width}d}-{plain or 'picture'}.png")
    return names


def panels(parts: Sequence[tuple[str, Color]], caption: str, below: str) -> Image.Image:
    """Pictures under their titles, with two lines below.

    What is small has each pixel drawn as a sharp square; what is larger is scaled to fit.
    """
    width = len(parts) * (PANEL + _GAP) + _GAP
    image = Image.new("RGB", (width, _TITLE + PANEL + 2 * _LINE + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(image)
    title, text = ImageFont.load_default(13), ImageFont.load_default(16)
    for number, (name, part) in enumerate(parts):
        left = _GAP + number * (PANEL + _GAP)
        panel = _panel(part)
        draw.text((left, 4), name, _SOFT, title)
        corner = left + (PANEL - panel.width) // 2, _TITLE + (PANEL - panel.height) // 2
        image.paste(panel, corner)
    top = _TITLE + PANEL + _GAP
    room = width - 2 * _GAP
    draw.text((_GAP, top), _fitted(draw, caption, text, room), _INK, text)
    draw.text((_GAP, top + _LINE), _fitted(draw, below, title, room), _SOFT, title)
    return image


def _panel(part: Color) -> Image.Image:
    scale = PANEL / max(part.shape[:2])
    height, width = (max(1, round(side * scale)) for side in part.shape[:2])
    small = max(part.shape[:2]) <= SMALL
    how = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return Image.fromarray(part).resize((width, height), how)


def _fitted(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    room: int,
) -> str:
    """`text`, its beginning left out if it is too long: the end of a path says more."""
    short = text[-_LONGEST:]
    if short == text and draw.textlength(text, font) <= room:
        return text
    text = short
    while text and draw.textlength(f"… {text}", font) > room:
        text = text[1:]
    return f"… {text}"


def write(
    out: Path,
    members: Mapping[str, T],
    draw: Callable[[T], Image.Image],
    describe: Callable[[T, str], Card],
    rejected: Sequence[Rejected],
    template: str,
    counts: Mapping[str, int],
    **values: Any,
) -> None:
    """A PNG per picture, and ``index.html`` with all of them.

    Args:
        out: made when missing; files of the same names are replaced, others stay.
        members: what could be read, by the name of its file.
        draw: makes the content of the file.
        describe: says on the page what the file of this name shows.
        counts: what is counted besides pictures and rejected ones.
    """
    for name, one in members.items():
        replace_file(out / name, partial(draw(one).save, format="PNG"))
    counts = {"pictures": len(members), **counts}
    if rejected:
        counts["rejected"] = len(rejected)
    cards = (describe(one, name) for name, one in members.items())
    page = render(template, counts=counts, rejected=rejected, cards=cards, **values)
    write_text(out / PAGE, "".join(page))


def write_pairs(out: Path, pairs: Sequence[Prepared], rejected: Sequence[Rejected]) -> None:
    """Originals and what a model sees of them; see `write`."""
    names = file_names([pair.path for pair in pairs])
    found = Counter(pair.prepared for pair in pairs)
    counts = {name: found[name] for name in _WORDS if found[name]}
    members = dict(zip(names, pairs, strict=True))
    write(out, members, _draw_pair, _describe_pair, rejected, "prepare.html", counts)


def _draw_pair(pair: Prepared) -> Image.Image:
    assert pair.original is not None  # noqa: S101
    parts = [
        ("original", in_color(pair.original)),
        ("as the model sees it", in_color(pair.pixels)),
    ]
    return panels(parts, f"{pair.prepared}: {_WORDS[pair.prepared]}", printable(pair.path))


def _describe_pair(pair: Prepared, name: str) -> Card:
    assert pair.original is not None  # noqa: S101
    height, width = pair.pixels.shape[:2]
    seen = f"{pair.path} as the model sees it"
    return Card(
        (
            Shown(data_uri(pair.original), pair.path),
            Shown(data_uri(pair.pixels), seen, size=(width, height)),
        ),
        verdicts=[(pair.prepared, "")],
        notes=[_WORDS[pair.prepared]],
        path=f"{pair.path} · {name}",
    )
