"""Originals and what a model sees of them: a PNG for each, and a page with all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fmnist_cli.contract import Rejected, printable
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


def write_pairs(out: Path, pairs: Sequence[Prepared], rejected: Sequence[Rejected]) -> None:
    """A PNG per picture, and ``index.html`` with all of them.

    Args:
        out: made when missing; files of the same names are replaced, others stay.
        pairs: what could be read, with the originals.
        rejected: what could not.
    """
    names = file_names([pair.path for pair in pairs])
    for pair, name in zip(pairs, names, strict=True):
        assert pair.original is not None  # noqa: S101
        parts = [
            ("original", in_color(pair.original)),
            ("as the model sees it", in_color(pair.pixels)),
        ]
        caption = f"{pair.prepared}: {_WORDS[pair.prepared]}"
        image = panels(parts, caption, printable(pair.path))
        replace_file(out / name, partial(image.save, format="PNG"))
    found = Counter(pair.prepared for pair in pairs)
    counts = {"pictures": len(pairs), **{name: found[name] for name in _WORDS if found[name]}}
    if rejected:
        counts["rejected"] = len(rejected)
    cards = (_card(pair, name) for pair, name in zip(pairs, names, strict=True))
    page = render("prepare.html", counts=counts, rejected=rejected, cards=cards)
    write_text(out / PAGE, "".join(page))


def _card(pair: Prepared, name: str) -> Card:
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
