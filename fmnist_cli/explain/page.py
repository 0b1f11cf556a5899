"""Explained pictures and their maps side by side, in a file and on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from PIL import Image

from fmnist_cli.contract import Pixels, Rejected
from fmnist_cli.explain.explanation import Explainer, Explanation, Heat
from fmnist_cli.html.contact_sheet import (
    Card,
    Shown,
    data_uri,
    heat_colors,
    in_color,
    pixels_of,
    under_heat,
)
from fmnist_cli.html.folder import panels
from fmnist_cli.html.page import SPACE, render


def side_by_side(
    pixels: Pixels, heat: Heat, caption: str, below: str, original: Pixels | None = None
) -> Image.Image:
    """Original where there is one, picture, heat map and overlay, with two lines below."""
    parts = (
        *(() if original is None else [("original", in_color(original))]),
        ("as the model sees it", in_color(pixels)),
        ("heat map", heat_colors(heat)),
        ("both", under_heat(pixels, heat)),
    )
    return panels(parts, caption, below)


def page(
    explainer: Explainer,
    explanations: Sequence[Explanation],
    names: Sequence[str],
    rejected: Sequence[Rejected],
) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        explainer: what explained them.
        explanations: what is shown.
        names: file of each one's pictures, which lies beside the page.
        rejected: what could not be read.
    """
    labelled = [e.subject for e in explanations if e.subject.true is not None]
    counts = {"pictures": len(explanations)}
    if labelled:
        counts["of another class than predicted"] = sum(s.true != s.predicted for s in labelled)
    if rejected:
        counts["rejected"] = len(rejected)
    ramp = heat_colors(np.arange(256, dtype=np.uint8)[None])
    words = "scale of colours from dark blue to yellow"
    return render(
        "explain.html",
        model=explainer.file.name,
        method=explainer.method,
        layer=explainer.layer,
        counts=counts,
        ramp=pixels_of(ramp, words, "colors"),
        rejected=rejected,
        cards=(_card(one, name) for one, name in zip(explanations, names, strict=True)),
    )


def _card(explanation: Explanation, name: str) -> Card:
    subject = explanation.subject
    source, target = subject.source, explanation.target_name
    pictures = (
        (in_color(subject.pixels), f"{source} as the model sees it"),
        (heat_colors(explanation.heat), f"heat map of {source}: evidence for {target}"),
        (under_heat(subject.pixels, explanation.heat), f"{source} under its heat map"),
    )
    height, width = explanation.heat.shape
    # Frames are shown by their pixels; of photos no pixel matters.
    kind: Literal["png", "webp"] = "png" if subject.pixels.ndim == 2 else "webp"
    true = f"true: {explanation.true_name} · " if explanation.true_name else ""
    shown = [Shown(data_uri(one, kind), alt, size=(width, height)) for one, alt in pictures]
    if subject.original is not None:
        shown.insert(0, Shown(data_uri(subject.original), f"{source}, the original"))
    return Card(
        shown,
        verdicts=[(explanation.predicted_name, f"{100 * subject.confidence:.1f}{SPACE}%")],
        notes=[f"{true}evidence for: {target}"],
        path=f"{source} · {name}",
    )
