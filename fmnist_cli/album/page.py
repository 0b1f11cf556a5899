"""What pages of albums have in common: their head, counts, rejected inputs and pictures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Rejected
from fmnist_cli.sinks.gallery.page import allowed, asset, text


def document(
    title: str, heading: str, below: str, body: Iterable[str], style: str = ""
) -> Iterator[str]:
    """The page, piece by piece; it needs nothing but itself.

    Args:
        title: of the browser's window; text.
        heading: text.
        below: a line under the heading; text.
        body: HTML, with the pictures in an element whose id is ``pictures``.
        style: more rules than those of all albums.
    """
    # Its looks are those of the contact sheet of `fmnist classify`.
    sheet = asset("page.css", "fmnist_cli.sinks.gallery")
    style = sheet + asset("page.css", __package__) + style
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src {allowed(style)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#pictures">Skip to the pictures</a>
<header>
<h1>{text(heading)}</h1>
<p class="soft">{text(below)}</p>
</header>
<main>
"""
    yield from body
    yield "</main>\n</body>\n</html>\n"


def numbers(counts: Mapping[str, int]) -> str:
    """Counts under their names."""
    rows = (f"<div><dt>{text(name)}</dt><dd>{n:,}</dd></div>" for name, n in counts.items())
    return f'<dl class="numbers">{"".join(rows)}</dl>\n'


def refused(rejected: Sequence[Rejected]) -> Iterator[str]:
    """What could not be read, with the reasons; nothing if all could."""
    if rejected:
        yield f'<details open><summary>{len(rejected):,} rejected</summary><ul class="reasons">\n'
        for row in rejected:
            yield f"<li><code>{text(row.path)}</code> {text(row.error)}</li>\n"
        yield "</ul></details>\n"


def data_uri(pixels: npt.NDArray[np.uint8], kind: str = "png") -> str:
    """Grey [H, W] or RGB [H, W, 3] as a data URI; `kind` is ``png`` or ``jpeg``."""
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    content = cv2.imencode(f".{kind}", bgr)[1].tobytes()
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
