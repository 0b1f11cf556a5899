"""Explained pictures as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fmnist_cli.album.page import data_uri, document, numbers, refused
from fmnist_cli.contract import Rejected
from fmnist_cli.explain.draw import colored, overlaid, shown
from fmnist_cli.explain.explanation import Explainer, Explanation
from fmnist_cli.sinks.gallery.page import asset, text


def page(
    explainer: Explainer,
    title: str,
    explanations: Sequence[Explanation],
    names: Sequence[str],
    rejected: Sequence[Rejected],
) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        explainer: what explained them.
        title: of its model, for people.
        explanations: what is shown.
        names: file of each one's triptych, which lies beside the page.
        rejected: what could not be read.
    """
    return document(
        f"Where {title} looked",
        "Where the network looked",
        f"{title} · {explainer.method} at {explainer.layer}",
        _body(explanations, names, rejected),
        asset("page.css", __package__),
    )


def _body(
    explanations: Sequence[Explanation], names: Sequence[str], rejected: Sequence[Rejected]
) -> Iterator[str]:
    yield from _overview(explanations, rejected)
    yield '<ul class="cards album" id="pictures" tabindex="-1">\n'
    for explanation, name in zip(explanations, names, strict=True):
        yield _card(explanation, name)
    yield "</ul>\n"


def _overview(explanations: Sequence[Explanation], rejected: Sequence[Rejected]) -> Iterator[str]:
    labelled = [e.subject for e in explanations if e.subject.true is not None]
    counts = {"pictures": len(explanations)}
    if labelled:
        counts["of another class than predicted"] = sum(s.true != s.predicted for s in labelled)
    if rejected:
        counts["rejected"] = len(rejected)
    yield numbers(counts)
    ramp = colored(np.arange(256, dtype=np.uint8)[None])
    yield f"""\
<p class="words">Bright is where the evidence for a class is, dark where there is none or some
against it. Each map is scaled to its own maximum: maps say where, not how much, and
their colours must not be compared from one picture to the next.</p>
<div class="scale"><span>none</span>\
<img src="{data_uri(ramp)}" width="256" height="1" alt="scale of colours from dark blue to yellow">\
<span>most in the picture</span></div>
"""
    yield from refused(rejected)


def _card(explanation: Explanation, name: str) -> str:
    subject = explanation.subject
    source, target = text(subject.source), text(explanation.target_name)
    pictures = (
        (shown(subject.pixels), f"{source} as the model sees it"),
        (colored(explanation.heat), f"heat map of {source}: evidence for {target}"),
        (overlaid(subject.pixels, explanation.heat), f"{source} under its heat map"),
    )
    height, width = explanation.heat.shape
    # Frames are shown by their pixels; of photos no pixel matters.
    kind, look = ("png", "") if subject.pixels.ndim == 2 else ("jpeg", ' class="photo"')
    images = "".join(
        f'<img{look} src="{data_uri(pixels, kind)}" width="{width}" height="{height}" alt="{alt}">'
        for pixels, alt in pictures
    )
    predicted = text(explanation.predicted_name)
    true = f"true: {text(explanation.true_name)} · " if explanation.true_name else ""
    return (
        f'<li class="card"><figure><div class="pictures">{images}</div><figcaption>'
        f'<p class="verdict"><span>{predicted}</span>'
        f" <span>{100 * subject.confidence:.1f}\N{NO-BREAK SPACE}%</span></p>"
        f'<p class="soft">{true}evidence for: {target}</p>'
        f'<p class="path">{source} · {text(name)}</p></figcaption></figure></li>\n'
    )
