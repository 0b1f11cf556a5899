"""Originals and what a model sees of them: a PNG for each, and a page with all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.contract import Pixels, Rejected, printable
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.html.contact_sheet import Card, Shown, data_uri, in_color
from fmnist_cli.html.folder import PAGE, file_names, panels
from fmnist_cli.html.page import render
from fmnist_cli.preprocess.pipeline import Prepared

_WORDS = {
    "frame": "taken as it is",
    "product": "trimmed on its plain background",
    "letterbox": "the whole picture, on grey",
}


class Pair(NamedTuple):
    """A picture before and after.

    Attributes:
        source: its path.
        original: uint8 [H, W, 3], RGB, or [H, W], small.
        pixels: uint8 [H, W] or [H, W, 3], what the model sees.
        prepared: name of the preparation.
    """

    source: str
    original: Pixels
    pixels: Pixels
    prepared: str


def write_pairs(out: Path, pairs: Sequence[Pair], rejected: Sequence[Rejected | Prepared]) -> None:
    """A PNG per picture, and ``index.html`` with all of them.

    Args:
        out: made when missing; files of the same names are replaced, others stay.
        pairs: what could be read.
        rejected: what could not.
    """
    names = file_names([pair.source for pair in pairs])
    for pair, name in zip(pairs, names, strict=True):
        parts = [
            ("original", in_color(pair.original)),
            ("as the model sees it", in_color(pair.pixels)),
        ]
        caption = f"{pair.prepared}: {_WORDS[pair.prepared]}"
        image = panels(parts, caption, printable(pair.source))
        replace_file(out / name, partial(image.save, format="PNG"))
    refused = [row for row in rejected if isinstance(row, Rejected)]
    found = Counter(pair.prepared for pair in pairs)
    counts = {"pictures": len(pairs), **{name: found[name] for name in _WORDS if found[name]}}
    if refused:
        counts["rejected"] = len(refused)
    cards = (_card(pair, name) for pair, name in zip(pairs, names, strict=True))
    page = render("prepare.html", counts=counts, rejected=refused, cards=cards)
    write_text(out / PAGE, "".join(page))


def _card(pair: Pair, name: str) -> Card:
    height, width = pair.pixels.shape[:2]
    seen = f"{pair.source} as the model sees it"
    return Card(
        (
            Shown(data_uri(pair.original), pair.source),
            Shown(data_uri(pair.pixels), seen, size=(width, height)),
        ),
        verdicts=[(pair.prepared, "")],
        notes=[_WORDS[pair.prepared]],
        path=f"{pair.source} · {name}",
    )
